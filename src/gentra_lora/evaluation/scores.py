"""Scores as pure functions on unit feature vectors (N, D)."""

import math
from collections.abc import Sequence

import torch


def paired_similarity(features: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Return the cosine of each row with the same row of the references, (N,)."""
    return (features * references).sum(dim=1)


def gap_closed(adapter: float, base: float, real: float) -> float | None:
    """Return the share of the way from the base's likeness to that of real photos: 0 as the base, 1 as real.

    None where real photos are no more alike than the base's pictures: then there is no gap to speak of.
    """
    return None if real <= base else (adapter - base) / (real - base)


def moved(with_adapter: torch.Tensor, without: torch.Tensor) -> torch.Tensor:
    """Return 1 - cosine of pictures of one prompt and seed with and without the adapter, (N,).

    Computed as half the squared distance of unit vectors, which is exactly 0 for the same picture.
    """
    return (with_adapter - without).square().sum(dim=1) / 2


def nearest(queries: torch.Tensor, candidates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return for each query the cosine of the most similar candidate, (N,), and its number, int64 (N,)."""
    return (queries @ candidates.T).max(dim=1)


def nearest_of_fewer(queries: torch.Tensor, candidates: torch.Tensor, size: int) -> torch.Tensor:
    """Return for each query the cosine of the nearest of `size` candidates, (N,), the mean over all such subsets.

    A larger set has a nearer neighbour by its size alone: sets are compared at the same size. Of M sorted cosines the
    i-th smallest is the largest of a random subset with probability C(i - 1, size - 1) / C(M, size).
    """
    count = len(candidates)
    ways = [math.comb(place, size - 1) / math.comb(count, size) for place in range(count)]
    sorted_similarity = (queries @ candidates.T).sort(dim=1).values.double()  # (N, M)
    return (sorted_similarity @ torch.tensor(ways, dtype=torch.float64)).float()


def distance_to_others(features: torch.Tensor, groups: Sequence[str]) -> torch.Tensor:
    """Return for each picture its mean distance, 1 - cosine, to the others of its group, (N,); nan where it is alone.

    Args:
        groups: N labels; pictures of one prompt share one.
    """
    distances = 1 - features @ features.T
    same = torch.tensor([[one == other for other in groups] for one in groups])
    same.fill_diagonal_(False)
    return (distances * same).sum(dim=1) / same.sum(dim=1)
