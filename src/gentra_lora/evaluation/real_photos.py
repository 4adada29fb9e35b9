"""The photos that pictures are measured against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gentra_lora.evaluation.features import FeatureModel
from gentra_lora.evaluation.judge import Judge
from gentra_lora.evaluation.scores import distance_to_others, nearest, paired_similarity
from gentra_lora.photos.crops import centre_crop
from gentra_lora.photos.manifest import Row
from gentra_lora.photos.photo import open_upright

ALIKE = 1e-5  # cosines of captions that differ by less are of the same words
COPY_QUANTILE = 0.95  # of the held-out photos' similarity to their nearest training photo


@dataclass(frozen=True)
class RealPhotos:
    """Photos of both splits; unit features (N, D), a row each, by the likeness model."""

    held_out: list[str]  # file names
    train: list[str]
    held_out_features: torch.Tensor
    train_features: torch.Tensor
    ceiling: list[float]  # of each held-out photo: the likeness of the training photo of the nearest caption
    prompt_match: dict[str, float]  # {file name: cosine of the photo and its caption}
    caption_features: torch.Tensor  # (N, D) by the prompt model, of the held-out photos and then of the others
    features_shown: dict[str, int]  # {file name: of the subject's, by the judge}; none without one

    @property
    def copy_threshold(self) -> float:
        """The similarity to a training photo above which a picture counts as copied from it.

        One in twenty other photos of the subject is as near to one by chance.
        """
        similarity, _ = nearest(self.held_out_features, self.train_features)
        return float(torch.quantile(similarity, COPY_QUANTILE))

    def spread_near(self, prompts: torch.Tensor) -> torch.Tensor:
        """Return how far real photos of a prompt's own scene lie apart, (N,): their mean distance, 1 - cosine.

        Those are the two photos of the nearest captions, and any whose caption is as near.

        Args:
            prompts: features (N, D) by the prompt model.
        """
        nearness = prompts @ self.caption_features.T  # (N, photos)
        chosen = nearness >= nearness.topk(2, dim=1).values[:, 1:] - ALIKE
        features = torch.cat([self.held_out_features, self.train_features])
        scenes = [distance_to_others(features[of], [""] * int(of.sum())) for of in chosen]
        return torch.stack([distances.mean() for distances in scenes])


def open_processed(folder: Path, rows: Sequence[Row], resolution: int) -> dict[str, NDArray[np.uint8]]:
    """Return {file name: centre crop (R, R, 3)} of processed photos."""
    return {row.file_name: np.array(centre_crop(open_upright(folder / row.file_name), resolution)) for row in rows}


def measure_photos(
    photos: Mapping[str, NDArray[np.uint8]],
    rows: Sequence[Row],
    likeness: FeatureModel,
    matching: FeatureModel,
    plain: Callable[[str], str],
    judge: Judge | None,
) -> RealPhotos:
    """Return what is known of the photos of a manifest's rows; see plan.score for the last four arguments.

    The ceiling of a held-out photo is the training photo whose caption is nearest: a perfect adapter's picture could be
    no more alike than another photo of the same scene.
    """
    parts = {split: [row for row in rows if row.split == split] for split in ("held_out", "train")}
    names = {split: [row.file_name for row in part] for split, part in parts.items()}
    features = {split: likeness.of_pictures([photos[name] for name in of]) for split, of in names.items()}
    captions = {split: matching.of_prompts([plain(row.caption) for row in part]) for split, part in parts.items()}
    _, place = nearest(captions["held_out"], captions["train"])
    ceiling = paired_similarity(features["train"][place], features["held_out"]).tolist()
    matches: dict[str, float] = {}
    for split, of in names.items():
        pictures = matching.of_pictures([photos[name] for name in of])
        matches |= dict(zip(of, paired_similarity(pictures, captions[split]).tolist(), strict=True))
    shown = dict(zip(photos, judge.features_shown(list(photos.values())), strict=True)) if judge else {}
    of_captions = torch.cat([captions["held_out"], captions["train"]])
    return RealPhotos(
        names["held_out"], names["train"], features["held_out"], features["train"], ceiling, matches, of_captions, shown
    )


def nearest_photos(
    prompts: Sequence[str],
    rows: Sequence[Row],
    photos: Mapping[str, NDArray[np.uint8]],
    matching: FeatureModel,
    plain: Callable[[str], str],
) -> list[NDArray[np.uint8]]:
    """Return for each prompt the real photo whose caption is nearest."""
    wanted, captions = (
        matching.of_prompts([plain(text) for text in of]) for of in (prompts, [r.caption for r in rows])
    )
    return [photos[rows[n].file_name] for n in nearest(wanted, captions)[1].tolist()]
