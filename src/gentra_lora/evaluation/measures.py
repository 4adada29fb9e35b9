"""What two runs are compared by: which rows of scores.jsonl, paired by what, and which direction is better."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from gentra_lora.evaluation.intervals import Interval, cluster_interval
from gentra_lora.evaluation.scored_run import Metrics, ScoreRow
from gentra_lora.evaluation.scores import gap_closed
from gentra_lora.training.held_out import BANDS

PICTURES_OF_SUBJECT = ("likeness", "prompt")
BAND_LABELS = dict(zip(BANDS, ("little noise: details", "some: parts", "much: layout"), strict=True))
Cluster = tuple[str, str]  # (group, photo or prompt)
Pair = tuple[int, int] | tuple[str, int]  # (timestep, noise) or (prompt, seed)
Values = Mapping[tuple[Cluster, Pair], float]


@dataclass(frozen=True)
class Measure:
    """A column of some rows.

    A row's pair is what it shares with one row of the other run; its cluster the prompt or photo that it belongs to,
    whose rows are not independent.
    """

    key: str
    label: str
    field: Literal["loss", "subject_similarity", "prompt_match", "drift", "copied", "diversity", "features_shown"]
    groups: tuple[str | None, ...]  # None: the rows of held-out errors
    better: Literal["lower", "higher", "nearer 1"]
    digits: int = 4  # that are shown
    band: str | None = None  # of held-out errors
    part: bool = False  # of the measure before it; told in the table alone
    of_base_weights: bool = False  # cannot be compared between two bases

    def values(self, rows: Iterable[ScoreRow], adapter: bool = True) -> dict[tuple[Cluster, Pair], float]:
        """Return {(cluster, pair): value} of the adapter's rows, or of the base's."""
        return {
            (_cluster(row), _pair(row)): float(value)
            for row in rows
            if self._takes(row) and row.get("adapter") is adapter and (value := row.get(self.field)) is not None
        }

    def gain(self, before: float, after: float) -> float:
        """Return how much better the second of two means is; below 0: worse."""
        if self.better == "nearer 1":
            return abs(before - 1) - abs(after - 1)
        return before - after if self.better == "lower" else after - before

    def _takes(self, row: ScoreRow) -> bool:
        return row.get("group") in self.groups and (self.band is None or row["band"] == self.band)


def _cluster(row: ScoreRow) -> Cluster:
    return row.get("group", "loss"), row.get("photo") or row["prompt"]


def _pair(row: ScoreRow) -> Pair:
    return (row["timestep"], row["noise"]) if "timestep" in row else (row["prompt"], row["seed"])


_loss = partial(Measure, field="loss", groups=(None,), better="lower", digits=5, of_base_weights=True)
MEASURES = (
    _loss("val_loss", "held-out loss"),
    *(_loss(f"val_loss_{band}", f"  {name}", band=band, part=True) for band, name in BAND_LABELS.items()),
    Measure("subject_similarity", "likeness", "subject_similarity", ("likeness",), "higher"),
    Measure("features_shown", "features shown", "features_shown", PICTURES_OF_SUBJECT, "higher", 2),
    Measure("prompt_match", "prompt match", "prompt_match", ("prompt",), "higher"),
    Measure("drift", "drift", "drift", ("drift",), "lower", 2, of_base_weights=True),
    Measure("features_leaked", "features leaked", "features_shown", ("drift",), "lower", 2),
    Measure("class_similarity", "class leak", "subject_similarity", ("class",), "lower"),
    Measure("copied", "copying", "copied", PICTURES_OF_SUBJECT, "lower"),
    Measure("diversity", "diversity", "diversity", PICTURES_OF_SUBJECT, "nearer 1", 2),
)


def clustered(values: Values) -> dict[Cluster, float]:
    """Return the mean of each cluster's values."""
    found = defaultdict[Cluster, list[float]](list)
    for (cluster, _), value in values.items():
        found[cluster].append(value)
    return {cluster: sum(of) / len(of) for cluster, of in found.items()}


def interval_of(values: Values) -> Interval:
    """Return the interval of the mean."""
    means = clustered(values)
    return cluster_interval([means[cluster] for cluster in sorted(means)])


def mean_of(values: Values) -> float | None:
    """Return the mean, None of no values."""
    return sum(values.values()) / len(values) if values else None


def metrics_of(rows: list[ScoreRow]) -> Metrics:
    """Return metrics.json of an evaluation's rows, rounded to what is more than noise."""
    means = {
        (measure.key, adapter): mean
        for measure in MEASURES
        for adapter in (True, False)
        if (mean := mean_of(measure.values(rows, adapter))) is not None
    }
    real = _means_of_real(rows)
    metrics = {
        "val_loss": _round(means.get(("val_loss", True)), 5),
        "val_loss_base": _round(means.get(("val_loss", False)), 5),
        "val_loss_relative": _ratio(means, "val_loss"),
    }
    metrics |= {f"val_loss_relative_{band}": _ratio(means, f"val_loss_{band}") for band in BANDS}
    for key in ("subject_similarity", "prompt_match"):
        found = {key: means.get((key, True)), f"{key}_base": means.get((key, False)), f"{key}_real": real[key]}
        metrics |= {name: _round(value) for name, value in found.items()}
    ends = means["subject_similarity", False], real["subject_similarity"]
    metrics["gap_closed"] = _round(gap_closed(means["subject_similarity", True], *ends))
    leak = means["class_similarity", False], real["subject_similarity"]
    drawn = [row for row in rows if row.get("adapter") is True and "fault" in row]
    gaps = [row["nn_gap"] for row in drawn if "nn_gap" in row]
    judged = {
        name: _round(means[key, is_adapter])
        for key in ("features_shown", "features_leaked")
        for name, is_adapter in ((key, True), (f"{key}_base", False))
        if (key, True) in means
    }
    if "features_shown" in real:
        judged["features_shown_real"] = _round(real["features_shown"])
    return (
        metrics
        | judged
        | {
            "drift_in_seeds": _round(means.get(("drift", True))),
            "class_leak": _round(gap_closed(means["class_similarity", True], *leak)),
            "copy_rate": _round(means.get(("copied", True))),
            "nn_gap": _round(sum(gaps) / len(gaps)),
            "diversity": _round(means.get(("diversity", True))),
            "diversity_base": _round(means.get(("diversity", False))),
            "bad_images": sum(row["fault"] is not None for row in drawn),
        }
    )


def _means_of_real(rows: list[ScoreRow]) -> dict[str, float]:
    found = [row for row in rows if row.get("group") == "real"]
    columns = {
        "subject_similarity": [row["subject_similarity"] for row in found if "subject_similarity" in row],
        "prompt_match": [row["prompt_match"] for row in found if "prompt_match" in row],
        "features_shown": [float(row["features_shown"]) for row in found if "features_shown" in row],
    }
    return {key: sum(values) / len(values) for key, values in columns.items() if values}


def _ratio(means: Mapping[tuple[str, bool], float], key: str) -> float | None:
    """Return the adapter's mean over the base's; None where the base has none, or no variety at all."""
    base = means.get((key, False))
    return _round(means[key, True] / base) if base else None


def _round(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
