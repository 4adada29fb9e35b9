"""Two evaluations, paired row by row: which is better, by how much, and what could not have been seen."""

from collections.abc import Iterable
from dataclasses import dataclass

from gentra_lora.evaluation.intervals import Interval
from gentra_lora.evaluation.measures import MEASURES, Measure, interval_of, mean_of
from gentra_lora.evaluation.noise_floor import NoiseFloor
from gentra_lora.evaluation.scored_run import (
    COMPARED,
    Params,
    RunError,
    ScoredRun,
    ScoreRow,
    Setup,
    differing,
    told_differences,
)

BETTER, WORSE, SEED, NONE = "better", "worse", "within another seed's spread", "no difference"


@dataclass(frozen=True)
class Difference:
    """One measure of two runs, the second less the first."""

    measure: Measure
    means: tuple[float, float]
    interval: Interval
    rows: int  # pairs of rows
    noise: float | None  # what two runs of one recipe differ by once in twenty, see noise_floor.py

    @property
    def verdict(self) -> str:
        """Whether the second run is BETTER, WORSE, or neither, and then why not."""
        if not self.interval.excludes_zero:
            return NONE
        if not self.interval.exceeds(self.noise):
            return SEED
        return BETTER if self.measure.gain(*self.means) > 0 else WORSE


@dataclass(frozen=True)
class Comparison:
    """All that is known of two runs."""

    names: tuple[str, str]
    differences: list[Difference]
    changed: list[str]  # parameters
    left_out: list[str]  # measures that cannot be compared, and why
    told: list[str]  # hardware and versions that differ
    noise_seeds: int  # runs that the noise floor was measured from; 0 without one


def compare(one: ScoredRun, other: ScoredRun, noise: NoiseFloor | None = None) -> Comparison:
    """Return the comparison of two runs.

    Args:
        noise: one of another set-up is not used.

    Raises:
        RunError: they were not evaluated alike; names each difference.
    """
    refuse_unlike(one, other)
    noise = noise if noise and noise.fits(one.setup) else None
    same_base = one.setup["base"] == other.setup["base"]
    chosen = [measure for measure in MEASURES if same_base or not measure.of_base_weights]
    left_out = [
        f"{measure.label}: the bases differ, and each has a measure of its own"
        for measure in MEASURES
        if measure not in chosen and not measure.part
    ]
    found = [difference_of(measure, one.rows, other.rows, noise) for measure in chosen]
    return Comparison(
        (one.name, other.name),
        [difference for difference in found if difference],
        changed_params(one.params, other.params),
        left_out,
        told_differences(one.setup, other.setup),
        len(noise.seeds) if noise else 0,
    )


def refuse_unlike(one: ScoredRun, other: ScoredRun) -> None:
    """Refuse two runs whose rows do not belong together.

    Raises:
        RunError: names what differs, its values and the way out.
    """
    keys = differing(one.setup, other.setup)
    if keys:
        lines = [f"  {COMPARED[key]}: {_told(one.setup, key)} and {_told(other.setup, key)}" for key in keys]
        raise RunError(
            "\n".join(
                [f"{one.name} and {other.name} were not evaluated alike, so that their rows are no pairs:", *lines]
            )
            + "\n  evaluate both with the same: set it in params.yaml and run `dvc repro evaluate` at each"
        )


def difference_of(
    measure: Measure, rows: Iterable[ScoreRow], others: Iterable[ScoreRow], noise: NoiseFloor | None
) -> Difference | None:
    """Return the difference by one measure, or None where neither run has such rows.

    Raises:
        RunError: they do not have the same pairs.
    """
    values, other_values = measure.values(rows), measure.values(others)
    stray = values.keys() ^ other_values.keys()
    if stray:
        raise RunError(
            f"{measure.label.strip()}: {sorted(stray, key=str)[0]} is in one of the runs alone; evaluate both again"
        )
    mean, other_mean = mean_of(values), mean_of(other_values)
    if mean is None or other_mean is None:
        return None
    interval = interval_of({pair: other_values[pair] - value for pair, value in values.items()})
    threshold = noise.threshold(measure.key) if noise else None
    return Difference(measure, (mean, other_mean), interval, len(values), threshold)


def changed_params(params: Params, other: Params) -> list[str]:
    """Return lines "block.key: one -> other" of the parameters that differ."""
    flat, flat_other = (
        {f"{block}.{key}": value for block, values in found.items() for key, value in values.items()}
        for found in (params, other)
    )
    keys = [key for key in flat | flat_other if flat.get(key) != flat_other.get(key)]
    return [f"{key}: {_short(flat.get(key))} -> {_short(flat_other.get(key))}" for key in keys]


def _told(setup: Setup, key: str) -> str:
    return _short(setup.get(key, "one from before it had a name"))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
