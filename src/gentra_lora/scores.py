"""Scores as pure functions on unit feature vectors (N, D)."""


def paired_similarity(features, references):
    """Return the cosine of each row with the same row of the references, (N,)."""
    return (features * references).sum(dim=1)


def gap_closed(adapter, base, real):
    """Return the share of the way from the base's likeness to that of real photos: 0 as the base, 1 as real.

    None where real photos are no more alike than the base's pictures: then there is no gap to speak of.
    """
    return None if real <= base else (adapter - base) / (real - base)


def drift(with_adapter, without):
    """Return (1 - cosine) / 2 of pictures of one prompt and seed with and without the adapter, (N,): 0 is no change."""
    return (1 - paired_similarity(with_adapter, without)) / 2


def nearest_rows(queries, candidates):
    """Return for each query the number of the most similar candidate, int64 (N,)."""
    return (queries @ candidates.T).argmax(dim=1)
