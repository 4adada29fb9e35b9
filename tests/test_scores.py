import pytest
import torch

from gentra_lora.scores import drift, gap_closed, nearest_rows, paired_similarity

A, B = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])


def test_similarity_is_the_cosine_row_by_row():
    assert paired_similarity(torch.stack([A, A, A]), torch.stack([A, B, -A])).tolist() == [1, 0, -1]


@pytest.mark.parametrize(("adapter", "wanted"), [(0.2, 0), (0.8, 1), (0.5, 0.5), (0.1, -1 / 6)])
def test_gap_closed_runs_from_the_base_to_real_photos(adapter, wanted):
    assert gap_closed(adapter, 0.2, 0.8) == pytest.approx(wanted)


def test_no_gap_is_no_number():
    assert gap_closed(0.5, 0.8, 0.8) is None


def test_drift_is_zero_for_the_same_picture_and_one_for_opposite_features():
    assert drift(torch.stack([A, A, A]), torch.stack([A, B, -A])).tolist() == [0, 0.5, 1]


def test_nearest_row_is_the_most_similar_candidate():
    assert nearest_rows(torch.stack([A, B]), torch.stack([B, A, -A])).tolist() == [1, 0]
