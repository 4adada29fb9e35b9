"""How sure a mean is, where values come in clusters: several seeds of one prompt, several timesteps of one photo."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES, CONFIDENCE, POWER = 9999, 0.95, 0.8


@dataclass(frozen=True)
class Interval:
    """A mean over clusters with its confidence interval; all None but `mean` where there is a single cluster."""

    mean: float
    low: float | None
    high: float | None
    visible: float | None  # the smallest true difference from 0 that is found four times in five
    clusters: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside; an interval of zeros alone has 0 in it."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def exceeds(self, noise: float | None) -> bool:
        """Whether 0 lies outside, and the mean is larger than what noise alone gives; None is noise unmeasured."""
        return self.excludes_zero and (noise is None or abs(self.mean) > noise)


def cluster_interval(means: Sequence[float]) -> Interval:
    """Return the interval of the mean of clusters, each drawn again as a whole.

    It is widened to Student's where that is wider: a bootstrap cannot leave the range of its clusters, and the mean of
    four lies outside of it one time in eight.

    Args:
        means: of the clusters, in an order that does not vary.
    """
    values, count = np.asarray(means, dtype=np.float64), len(means)
    mean = float(values.mean())
    if count < 2:
        return Interval(mean, None, None, None, count)
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=_expanded(CONFIDENCE, count),
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    error = float(values.std(ddof=1)) / math.sqrt(count)
    quantile, power = (float(stats.t.ppf(share, count - 1)) for share in ((1 + CONFIDENCE) / 2, POWER))
    low, high = min(float(found.low), mean - quantile * error), max(float(found.high), mean + quantile * error)
    return Interval(mean, low, high, (quantile + power) * error, count)


def _expanded(confidence: float, count: int) -> float:
    """Return the level at which percentiles of a bootstrap of few clusters cover as often as `confidence` says.

    Hesterberg 2014, arXiv 1411.5279, section 4.1: a percentile interval is too narrow by sqrt((n - 1) / n), and by the
    normal distribution's quantile in place of Student's.
    """
    quantile = math.sqrt(count / (count - 1)) * stats.t.ppf((1 + confidence) / 2, count - 1)
    return float(1 - 2 * stats.norm.sf(quantile))
