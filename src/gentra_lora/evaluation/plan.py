"""An evaluation: what is drawn of an adapter and of its base, and what is measured of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from numpy.typing import NDArray

from gentra_lora.adapter.rows import Factors
from gentra_lora.evaluation.features import FeatureModel
from gentra_lora.evaluation.judge import Judge
from gentra_lora.evaluation.measures import PICTURES_OF_SUBJECT
from gentra_lora.evaluation.paired_pictures import Paired
from gentra_lora.evaluation.real_photos import RealPhotos
from gentra_lora.evaluation.score_rows import (
    add_copying,
    add_diversity,
    add_drift,
    add_features,
    add_likeness,
    add_prompt_match,
    loss_rows,
    picture_rows,
    real_rows,
)
from gentra_lora.evaluation.scored_run import Metrics, ScoreRow, Setup
from gentra_lora.latents.cached_photos import load_split, read_index
from gentra_lora.photos.manifest import Row
from gentra_lora.photos.photo import open_upright, sha256_of
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.request import PictureRequest, steps_of_schedule
from gentra_lora.training.held_out import held_out_errors, held_out_timesteps

CLASS_SEEDS = 2  # of a caption with the class noun: what class leak is a mean of has captions enough
OF_PHOTOS = ("likeness", "class")  # the groups whose prompts are the captions of held-out photos
STRIP_PHOTOS = 3  # held-out photos that are redrawn at each strength


class PlanParams(Protocol):
    """What a plan needs of params.yaml's evaluate block."""

    prompts: list[str]
    drift_prompts: list[str]
    seeds: list[int]
    num_inference_steps: int
    guidance_scale: float
    img2img_strengths: list[float]


@dataclass(frozen=True)
class Plan:
    """All pictures of prompts, by group (see score_rows.py), and of held-out photos redrawn, by strength."""

    groups: dict[str, list[PictureRequest]]
    photos: dict[str, list[str]]  # the held-out photo of each request, of the groups OF_PHOTOS
    strips: dict[float, list[PictureRequest]]
    strip_photos: list[str]

    @property
    def prompts(self) -> list[str]:
        """All prompts, each once."""
        return list(dict.fromkeys(request.prompt for requests in self.groups.values() for request in requests))

    @property
    def count(self) -> int:
        """How many pictures are asked for, by the base and by the adapter together."""
        return 2 * sum(map(len, [*self.groups.values(), *self.strips.values()]))


@dataclass(frozen=True)
class Evaluated:
    """What was found of an adapter."""

    plan: Plan
    drawn: Mapping[str, Paired]  # by group
    rows: list[ScoreRow]
    metrics: Metrics
    setup: Setup
    header: Mapping[str, str]  # of the adapter's file

    def shown(self) -> Iterator[tuple[ScoreRow, NDArray[np.uint8]]]:
        """Yield (row, picture) of all that the adapter drew for prompts."""
        for group in self.plan.groups:
            of_group = [row for row in self.rows if row.get("group") == group and row["adapter"]]
            yield from zip(of_group, self.drawn[group]["adapter"], strict=True)


def make_plan(
    held_out: list[Row], folder: Path, config: PlanParams, resolution: int, plain: Callable[[str], str]
) -> Plan:
    """Return the plan of an evaluation.

    Args:
        held_out: the manifest's rows; their files lie in `folder`.
        plain: returns a prompt with its trigger word read as the class noun.

    Raises:
        GenerationError: a strength needs more steps than the noise schedule has.
    """

    steps = config.num_inference_steps

    def requests(prompts: list[str], seeds: list[int] = config.seeds) -> list[PictureRequest]:
        shape = steps, config.guidance_scale, resolution, resolution
        return [PictureRequest(prompt, seed, *shape) for prompt in prompts for seed in seeds]

    captions = [row.caption for row in held_out]
    groups = {
        "likeness": requests(captions),
        "class": requests([plain(caption) for caption in captions], config.seeds[:CLASS_SEEDS]),
        "prompt": requests(config.prompts),
        "drift": requests(config.drift_prompts),
    }
    shown = held_out[:STRIP_PHOTOS]
    first = [groups["likeness"][n * len(config.seeds)] for n in range(len(shown))]
    paths = [folder / row.file_name for row in shown]
    photos = [(open_upright(path), sha256_of(path)) for path in paths]
    strips = {
        strength: [
            replace(
                request,
                strength=strength,
                num_inference_steps=steps_of_schedule(steps, strength),
                photo=photo,
                photo_sha256=digest,
            )
            for request, (photo, digest) in zip(first, photos, strict=True)
        ]
        for strength in config.img2img_strengths
    }
    names = [row.file_name for row in held_out]
    photos_of = {
        group: [name for name in names for _ in range(len(groups[group]) // len(names))] for group in OF_PHOTOS
    }
    return Plan(groups, photos_of, strips, [row.file_name for row in shown])


def held_out_rows(
    engine: PictureEngine, factors: dict[str, Factors], noise_scheduler: DDPMScheduler, folder: Path
) -> list[ScoreRow]:
    """Return the rows of the held-out errors with and without an adapter, measured through the loaded file.

    Args:
        folder: of the latents.
    """
    photos, scaling_factor = load_split(folder, "held_out"), read_index(folder)["scaling_factor"]
    engine.adapter.use(factors)
    errors = {}
    for name, scale in (("adapter", 1.0), ("base", 0.0)):
        engine.adapter.set_scales([scale])
        errors[name] = held_out_errors(engine.unet, noise_scheduler, photos, scaling_factor)
    return loss_rows(errors, photos.file_names, held_out_timesteps(noise_scheduler).tolist())


def score(
    plan: Plan,
    drawn: Mapping[str, Paired],
    real: RealPhotos,
    likeness: FeatureModel,
    matching: FeatureModel,
    plain: Callable[[str], str],
    judge: Judge | None,
) -> list[ScoreRow]:
    """Return the rows of all pictures and of the real photos.

    Args:
        drawn: by group.
        likeness: for pictures.
        matching: for pictures and prompts.
        plain: see `make_plan`.
        judge: counts the subject's features where there is one.
    """
    scores = real_rows(real)
    of_subject = dict.fromkeys(request.prompt for group in PICTURES_OF_SUBJECT for request in plan.groups[group])
    unit = float(real.spread_near(matching.of_prompts([plain(prompt) for prompt in of_subject])).mean())
    for group, requests in plan.groups.items():
        pictures = drawn[group]
        features = {name: likeness.of_pictures(made) for name, made in pictures.items()}
        of_photos = plan.photos.get(group)
        group_rows = picture_rows(group, requests, pictures, features, of_photos)
        if of_photos:
            add_likeness(group_rows, features, real)
        if group in PICTURES_OF_SUBJECT:
            add_copying(group_rows, features, real)
            add_diversity(group_rows, unit)
        if judge and group in (*PICTURES_OF_SUBJECT, "drift"):
            add_features(group_rows, pictures, judge)
        if group == "drift":
            add_drift(group_rows, features)
        if group == "prompt":
            wanted = matching.of_prompts([plain(request.prompt) for request in requests])
            add_prompt_match(group_rows, {name: matching.of_pictures(made) for name, made in pictures.items()}, wanted)
        scores += group_rows
    return scores
