import numpy as np
import pytest

from gentra_lora.evaluation.intervals import cluster_interval


def test_interval_holds_the_mean_and_is_the_same_each_time():
    found = cluster_interval([0.1, 0.3, 0.2, 0.4, 0.25])
    assert found.mean == pytest.approx(0.25)
    assert found.low < found.mean < found.high
    assert cluster_interval([0.1, 0.3, 0.2, 0.4, 0.25]) == found


def test_no_spread_is_an_interval_of_one_point():
    assert cluster_interval([0.0] * 5).excludes_zero is False
    found = cluster_interval([0.2] * 5)
    assert (found.low, found.high, found.visible) == pytest.approx((0.2, 0.2, 0.0))
    assert found.excludes_zero


def test_single_cluster_has_no_interval():
    found = cluster_interval([0.3])
    assert (found.mean, found.low, found.high, found.visible, found.excludes_zero) == (0.3, None, None, None, False)


@pytest.mark.parametrize("count", [4, 8, 16])
def test_interval_covers_the_truth_as_often_as_it_says_for_few_clusters_too(count):
    rng, trials = np.random.default_rng(1), 200
    found = [cluster_interval(rng.normal(1.0, 0.5, count).tolist()) for _ in range(trials)]
    covered = sum(interval.low <= 1.0 <= interval.high for interval in found) / trials
    assert covered >= 0.92  # percentiles of the bootstrap alone of four clusters: 0.78


def test_smallest_visible_difference_is_found_four_times_in_five():
    rng, spread, count = np.random.default_rng(2), 0.3, 10
    draws = [rng.normal(0.0, spread, count) for _ in range(200)]
    visible = np.mean([cluster_interval(draw.tolist()).visible for draw in draws[:50]])
    found = [cluster_interval((draw + visible).tolist()).excludes_zero for draw in draws]
    assert 0.7 < np.mean(found) < 0.9


def test_more_clusters_see_smaller_differences():
    rng = np.random.default_rng(3)
    few, many = (cluster_interval(rng.normal(0, 1, count).tolist()).visible for count in (5, 80))
    assert many < few / 3
