import math
from itertools import combinations

import pytest
import torch
from torch.nn import functional

from gentra_lora.evaluation.scores import (
    distance_to_others,
    gap_closed,
    moved,
    nearest,
    nearest_of_fewer,
    paired_similarity,
)

A, B = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])


def test_similarity_is_the_cosine_row_by_row():
    assert paired_similarity(torch.stack([A, A, A]), torch.stack([A, B, -A])).tolist() == [1, 0, -1]


@pytest.mark.parametrize(("adapter", "wanted"), [(0.2, 0), (0.8, 1), (0.5, 0.5), (0.1, -1 / 6)])
def test_gap_closed_runs_from_the_base_to_real_photos(adapter, wanted):
    assert gap_closed(adapter, 0.2, 0.8) == pytest.approx(wanted)


def test_no_gap_is_no_number():
    assert gap_closed(0.5, 0.8, 0.8) is None


def test_moved_is_zero_for_the_same_picture_and_two_for_opposite_features():
    assert moved(torch.stack([A, A, A]), torch.stack([A, B, -A])).tolist() == [0, 1, 2]


def test_nearest_is_the_most_similar_candidate():
    similarity, place = nearest(torch.stack([A, B]), torch.stack([B, A, -A]))
    assert place.tolist() == [1, 0]
    assert similarity.tolist() == [1, 1]


def test_nearest_of_fewer_is_the_mean_over_all_subsets_of_that_size():
    generator = torch.Generator().manual_seed(1)
    queries, candidates = (functional.normalize(torch.randn(n, 8, generator=generator), dim=1) for n in (3, 6))
    for size in (1, 2, 6):
        subsets = [nearest(queries, candidates[list(chosen)])[0] for chosen in combinations(range(6), size)]
        wanted = torch.stack(subsets).mean(dim=0)
        torch.testing.assert_close(nearest_of_fewer(queries, candidates, size), wanted)


def test_distance_is_that_to_the_other_pictures_of_the_group():
    found = distance_to_others(torch.stack([A, B, A, -A]), ["car", "car", "car", "van"]).tolist()
    assert found[:3] == [0.5, 1.0, 0.5]
    assert math.isnan(found[3])
