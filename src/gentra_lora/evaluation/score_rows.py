"""One row a picture and one a held-out error: what is kept of an evaluation, so that any two can be paired later.

The groups of pictures: `likeness` are the held-out photos' captions, `class` the same with the class noun in place of
the trigger word, `prompt` the prompts of params.yaml, `drift` those that have nothing to do with the subject.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch

from gentra_lora.evaluation.judge import Judge
from gentra_lora.evaluation.paired_pictures import Paired
from gentra_lora.evaluation.real_photos import RealPhotos
from gentra_lora.evaluation.scored_run import ScoreRow
from gentra_lora.evaluation.scores import distance_to_others, moved, nearest, nearest_of_fewer, paired_similarity
from gentra_lora.pictures.faults import fault_of
from gentra_lora.pictures.request import PictureRequest
from gentra_lora.training.held_out import BANDS

DIGITS = 6  # of a score; the rest differs between two CPUs
Features = Mapping[str, torch.Tensor]  # {"adapter", "base"}: (N, D), of a group's N pictures each


def picture_rows(
    group: str,
    requests: Sequence[PictureRequest],
    pictures: Paired,
    features: Features,
    photos: Sequence[str] | None = None,
) -> list[ScoreRow]:
    """Return the rows of a group, the adapter's and then the base's.

    Args:
        photos: file names of the photos whose captions were drawn, one a request.
    """
    labels = [request.prompt for request in requests] if photos is None else photos
    rows: list[ScoreRow] = []
    for name in ("adapter", "base"):
        distances = distance_to_others(features[name], labels).tolist()
        for n, request in enumerate(requests):
            row: ScoreRow = {"group": group}
            if photos:
                row["photo"] = photos[n]
            row |= {"prompt": request.prompt, "seed": request.seed, "adapter": name == "adapter"}
            # Alone among its prompt's pictures it has no distance, and JSON no nan.
            row["distance"] = _rounded(distances[n]) if distances[n] == distances[n] else None
            row["fault"] = fault_of(pictures[name][n])
            rows.append(row)
    return rows


def add_likeness(rows: Sequence[ScoreRow], features: Features, real: RealPhotos) -> None:
    """Add to rows with a photo how alike their picture and that photo are."""
    both = torch.cat([features["adapter"], features["base"]])
    wanted = real.held_out_features[[real.held_out.index(row["photo"]) for row in rows]]
    _add(rows, "subject_similarity", paired_similarity(both, wanted))


def add_copying(rows: Sequence[ScoreRow], features: Features, real: RealPhotos) -> None:
    """Add to rows the nearest training photo, whether it was copied, and how much nearer it is than held-out ones."""
    both, threshold = torch.cat([features["adapter"], features["base"]]), real.copy_threshold
    similarity, place = nearest(both, real.train_features)
    fewer = min(len(real.train), len(real.held_out))
    gap = nearest_of_fewer(both, real.train_features, fewer) - nearest_of_fewer(both, real.held_out_features, fewer)
    _add(rows, "nearest_train", similarity)
    _add(rows, "nn_gap", gap)
    for row, number, value in zip(rows, place.tolist(), similarity.tolist(), strict=True):
        row |= {"nearest_train_photo": real.train[number], "copied": value > threshold}


def add_prompt_match(rows: Sequence[ScoreRow], features: Features, wanted: torch.Tensor) -> None:
    """Add to rows the cosine of their picture and its prompt's features (N, D)."""
    _add(
        rows, "prompt_match", paired_similarity(torch.cat([features["adapter"], features["base"]]), wanted.repeat(2, 1))
    )


def add_features(rows: Sequence[ScoreRow], pictures: Paired, judge: Judge) -> None:
    """Add to rows how many of the subject's features the judge sees."""
    for row, count in zip(rows, judge.features_shown([*pictures["adapter"], *pictures["base"]]), strict=True):
        row["features_shown"] = count


def add_diversity(rows: Sequence[ScoreRow], unit: float) -> None:
    """Add to rows how far their picture lies from those of its prompt's other seeds, in units of real photos.

    Args:
        unit: how far real photos of one scene lie apart; of 0 there is no diversity.
    """
    for row in rows:
        row["diversity"] = None if row["distance"] is None or not unit else _rounded(row["distance"] / unit)


def add_drift(rows: Sequence[ScoreRow], features: Features) -> None:
    """Add to the adapter's rows how far it moved the picture from the base's, in units of the base's own seeds.

    The unit is the mean over all prompts: one prompt's few seeds may lie close together by chance. Where the base draws
    all alike there is none.
    """
    of_adapter, of_base = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    unit = statistics.fmean(row["distance"] or 0.0 for row in of_base)
    for row, value in zip(of_adapter, moved(features["adapter"], features["base"]).tolist(), strict=True):
        row["drift"] = _rounded(value / unit) if unit else None


def real_rows(real: RealPhotos) -> list[ScoreRow]:
    """Return a row for each real photo: what a perfect adapter could reach."""
    similarity, _ = nearest(real.held_out_features, real.train_features)
    likeness: dict[str, ScoreRow] = {
        name: {"subject_similarity": _rounded(ceiling), "nearest_train": _rounded(value)}
        for name, ceiling, value in zip(real.held_out, real.ceiling, similarity.tolist(), strict=True)
    }
    rows: list[ScoreRow] = []
    for name, value in real.prompt_match.items():
        row: ScoreRow = {"group": "real", "photo": name, "prompt_match": _rounded(value)}
        row |= likeness.get(name, {})
        if name in real.features_shown:
            row["features_shown"] = real.features_shown[name]
        rows.append(row)
    return rows


def loss_rows(errors: Mapping[str, torch.Tensor], photos: Sequence[str], timesteps: Sequence[int]) -> list[ScoreRow]:
    """Return a row for each held-out error.

    Args:
        errors: {"adapter", "base"}: (N, T) each, of held_out.held_out_errors.
        photos: N file names.
        timesteps: T, in rising order.
    """
    bands = np.repeat(BANDS, len(timesteps) // len(BANDS)).tolist()
    return [
        {
            "photo": photo,
            "timestep": timestep,
            "noise": 0,  # the only draw of this photo and timestep: a function of both
            "band": band,
            "adapter": name == "adapter",
            "loss": _rounded(errors[name][n, column].item()),
        }
        for name in ("adapter", "base")
        for n, photo in enumerate(photos)
        for column, (timestep, band) in enumerate(zip(timesteps, bands, strict=True))
    ]


def _add(
    rows: Sequence[ScoreRow],
    name: Literal["subject_similarity", "nearest_train", "nn_gap", "prompt_match"],
    values: torch.Tensor,
) -> None:
    for row, value in zip(rows, values.tolist(), strict=True):
        row[name] = _rounded(value)


def _rounded(value: float) -> float:
    return round(value, DIGITS) + 0.0  # and no -0.0
