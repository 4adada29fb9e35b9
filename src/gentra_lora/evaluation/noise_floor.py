"""reports/noise.json: how far the measures of equal runs lie apart that differ in their seed alone."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from scipy import stats

from gentra_lora.errors import InputError, first_line
from gentra_lora.evaluation.intervals import CONFIDENCE
from gentra_lora.evaluation.scored_run import NOISE, Setup, differing


class Spread(TypedDict):
    """A metric over the runs."""

    mean: float
    sd: float
    values: list[float]


@dataclass(frozen=True)
class NoiseFloor:
    """The spread of each measure and metric over runs of several seeds."""

    setup: Setup
    seeds: list[int]
    measures: dict[str, float]  # {key: standard deviation of the runs' means}
    metrics: dict[str, Spread]

    def threshold(self, key: str) -> float | None:
        """Return what the difference of two single runs of one recipe exceeds once in twenty; None if unmeasured.

        A standard deviation from few runs is itself unsure: Student's quantile accounts for it, and both runs vary.
        """
        if key not in self.measures:
            return None
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(self.seeds) - 1)
        return float(quantile) * math.sqrt(2) * self.measures[key]

    def fits(self, setup: Setup) -> bool:
        """Whether it was measured on the base and in the way of another evaluation: else its spread means nothing."""
        return self.setup.get("base") == setup["base"] and not differing(self.setup, setup)


def spread_of(
    setup: Setup,
    seeds: Sequence[int],
    measures: Sequence[Mapping[str, float | None]],
    metrics: Sequence[Mapping[str, float | None]],
) -> NoiseFloor:
    """Return the noise floor of runs.

    Args:
        setup: of one of them; they share what is compared.
        measures: {key: mean}, one a run.
        metrics: metrics.json, one a run.
    """
    return NoiseFloor(
        setup,
        list(seeds),
        {key: _deviation(of) for key in measures[0] if (of := _values(measures, key))},
        {
            key: {"mean": _short(statistics.fmean(of)), "sd": _deviation(of), "values": of}
            for key in metrics[0]
            if (of := _values(metrics, key))
        },
    )


def _values(runs: Sequence[Mapping[str, float | None]], key: str) -> list[float]:
    """Return the runs' values of a key; none at all where one of the runs has no number."""
    found = [value for run in runs if isinstance(value := run[key], float | int)]
    return found if len(found) == len(runs) else []


def _deviation(values: Sequence[float]) -> float:
    return _short(statistics.stdev(values))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def fitting_noise(path: Path, setup: Setup) -> NoiseFloor | None:
    """Return the noise floor in a file where it was measured in the way of an evaluation's set-up, else None."""
    noise = read_noise(path.read_text(encoding="utf-8"), path) if path.exists() else None
    return noise if noise and noise.fits(setup) else None


def read_noise(text: str, source: str | Path = NOISE) -> NoiseFloor | None:
    """Return the noise floor of noise.json's text, or None of the empty one that stands for "not measured".

    Raises:
        InputError: the file is no such thing.
    """
    try:
        found = json.loads(text)
        return NoiseFloor(**found) if found else None
    except (ValueError, TypeError) as error:
        raise InputError(f"{source}: cannot be read ({first_line(error)}); run `gentra-lora noise`") from error
