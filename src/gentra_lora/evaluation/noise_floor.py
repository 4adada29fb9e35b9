"""reports/noise.json: how far the measures of equal runs lie apart that differ in their seed alone."""

import json
import math
import statistics
from dataclasses import dataclass

from scipy import stats

from gentra_lora.errors import InputError, first_line
from gentra_lora.evaluation.intervals import CONFIDENCE
from gentra_lora.evaluation.scored_run import differing

NOISE = "reports/noise.json"
LEAST_RUNS = 2


@dataclass(frozen=True)
class NoiseFloor:
    """The spread of each measure and metric over runs of several seeds."""

    setup: dict  # of the evaluations, see scored_run.py
    seeds: list[int]
    measures: dict  # {key: standard deviation of the runs' means}
    metrics: dict  # {key: {"mean", "sd", "values"}}

    def threshold(self, key):
        """Return what the difference of two single runs of one recipe exceeds once in twenty; None if unmeasured.

        A standard deviation from few runs is itself unsure: Student's quantile accounts for it, and both runs vary.
        """
        if key not in self.measures:
            return None
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(self.seeds) - 1)
        return float(quantile) * math.sqrt(2) * self.measures[key]

    def fits(self, setup):
        """Whether it was measured on the base and in the way of another evaluation: else its spread means nothing."""
        return self.setup.get("base") == setup["base"] and not differing(self.setup, setup)


def spread_of(setup, seeds, measures, metrics):
    """Return the NoiseFloor of runs.

    Args:
        setup: of one of them; they share what is compared.
        measures: a dict {key: mean} a run.
        metrics: a dict of metrics.json a run.
    """

    def values(dicts, key):
        return [found[key] for found in dicts]

    numbers = [key for key in metrics[0] if all(isinstance(found[key], float | int) for found in metrics)]
    return NoiseFloor(
        setup,
        list(seeds),
        {key: _deviation(values(measures, key)) for key in measures[0] if None not in values(measures, key)},
        {
            key: {"mean": _short(statistics.fmean(of)), "sd": _deviation(of), "values": of}
            for key in numbers
            for of in [values(metrics, key)]
        },
    )


def _deviation(values):
    return _short(statistics.stdev(values))


def _short(value):
    return float(f"{value:.4g}")


def fitting_noise(path, setup):
    """Return the NoiseFloor in a file where it was measured in the way of an evaluation's set-up, else None."""
    noise = read_noise(path.read_text(encoding="utf-8"), path) if path.exists() else None
    return noise if noise and noise.fits(setup) else None


def read_noise(text, source=NOISE):
    """Return the NoiseFloor of noise.json's text, or None of the empty one that stands for "not measured".

    Raises:
        InputError: the file is no such thing.
    """
    try:
        found = json.loads(text)
        return NoiseFloor(**found) if found else None
    except (ValueError, TypeError) as error:
        raise InputError(f"{source}: cannot be read ({first_line(error)}); run `gentra-lora noise`") from error
