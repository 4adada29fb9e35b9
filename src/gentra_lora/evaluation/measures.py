"""What two runs are compared by: which rows of scores.jsonl, paired by what, and which direction is better."""

from collections import defaultdict
from dataclasses import dataclass

from gentra_lora.evaluation.intervals import cluster_interval
from gentra_lora.evaluation.scores import gap_closed
from gentra_lora.training.held_out import BANDS

PICTURES_OF_SUBJECT = ("likeness", "prompt")
BAND_LABELS = dict(zip(BANDS, ("little noise: details", "some: parts", "much: layout"), strict=True))


@dataclass(frozen=True)
class Measure:
    """A column of some rows.

    A row's pair is what it shares with one row of the other run; its cluster the prompt or photo that it belongs to,
    whose rows are not independent.
    """

    key: str
    label: str
    field: str
    groups: tuple[str | None, ...]  # None: the rows of held-out errors
    better: str  # "lower" or "higher"
    digits: int = 4  # that are shown
    band: str | None = None  # of held-out errors
    part: bool = False  # of the measure before it; told in the table alone
    of_base_weights: bool = False  # cannot be compared between two bases

    def values(self, rows, adapter=True):
        """Return {(cluster, pair): value} of the adapter's rows, or of the base's."""
        return {
            (_cluster(row), _pair(row)): float(row[self.field])
            for row in rows
            if self._has(row) and row.get("adapter") is adapter
        }

    def _has(self, row):
        return (
            row.get("group") in self.groups
            and row.get(self.field) is not None
            and (self.band is None or row["band"] == self.band)
        )


def _cluster(row):
    return row.get("group", "loss"), row.get("photo") or row["prompt"]


def _pair(row):
    return (row["timestep"], row["noise"]) if "timestep" in row else (row["prompt"], row["seed"])


LOSS = {"field": "loss", "groups": (None,), "better": "lower", "digits": 5, "of_base_weights": True}
MEASURES = (
    Measure("val_loss", "held-out loss", **LOSS),
    *(Measure(f"val_loss_{band}", f"  {name}", band=band, part=True, **LOSS) for band, name in BAND_LABELS.items()),
    Measure("subject_similarity", "likeness", "subject_similarity", ("likeness",), "higher"),
    Measure("prompt_match", "prompt match", "prompt_match", ("prompt",), "higher"),
    Measure("drift", "drift", "drift", ("drift",), "lower", of_base_weights=True),
    Measure("class_similarity", "class leak", "subject_similarity", ("class",), "lower"),
    Measure("copied", "copying", "copied", PICTURES_OF_SUBJECT, "lower"),
    Measure("distance", "diversity", "distance", PICTURES_OF_SUBJECT, "higher"),
)


def clustered(values):
    """Return {cluster: mean of its values} of {(cluster, pair): value}."""
    found = defaultdict(list)
    for (cluster, _), value in values.items():
        found[cluster].append(value)
    return {cluster: sum(of) / len(of) for cluster, of in found.items()}


def interval_of(values):
    """Return the Interval of the mean of {(cluster, pair): value}."""
    means = clustered(values)
    return cluster_interval([means[cluster] for cluster in sorted(means)])


def mean_of(values):
    """Return the mean of {(cluster, pair): value}, or None of none."""
    return sum(values.values()) / len(values) if values else None


def metrics_of(rows):
    """Return metrics.json of an evaluation's rows, rounded to what is more than noise."""
    means = {
        (measure.key, adapter): mean_of(measure.values(rows, adapter))
        for measure in MEASURES
        for adapter in (True, False)
    }
    real = _means_of_real(rows)
    metrics = {
        "val_loss": _round(means["val_loss", True], 5),
        "val_loss_base": _round(means["val_loss", False], 5),
        "val_loss_relative": _ratio(means, "val_loss"),
    }
    metrics |= {f"val_loss_relative_{band}": _ratio(means, f"val_loss_{band}") for band in BANDS}
    for key in ("subject_similarity", "prompt_match"):
        ends = {key: means[key, True], f"{key}_base": means[key, False], f"{key}_real": real[key]}
        metrics |= {name: _round(value) for name, value in ends.items()}
    ends = means["subject_similarity", False], real["subject_similarity"]
    metrics["gap_closed"] = _round(gap_closed(means["subject_similarity", True], *ends))
    leak = means["class_similarity", False], real["subject_similarity"]
    drawn = [row for row in rows if row.get("adapter") is True and "fault" in row]
    gaps = [row["nn_gap"] for row in drawn if "nn_gap" in row]
    return metrics | {
        "drift": _round(means["drift", True]),
        "class_leak": _round(gap_closed(means["class_similarity", True], *leak)),
        "copy_rate": _round(means["copied", True]),
        "nn_gap": _round(sum(gaps) / len(gaps)),
        "diversity_ratio": _ratio(means, "distance"),
        "bad_images": sum(row["fault"] is not None for row in drawn),
    }


def _means_of_real(rows):
    found = [row for row in rows if row.get("group") == "real"]
    columns = {key: [row[key] for row in found if key in row] for key in ("subject_similarity", "prompt_match")}
    return {key: sum(values) / len(values) for key, values in columns.items()}


def _ratio(means, key):
    """Return the adapter's mean over the base's; None where the base has none, or no variety at all."""
    return _round(means[key, True] / means[key, False]) if means[key, False] else None


def _round(value, digits=4):
    return None if value is None else round(value, digits)
