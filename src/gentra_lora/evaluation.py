"""An evaluation: what is drawn of an adapter and of its base, and what is measured of it."""

from dataclasses import dataclass, replace

import numpy as np

from gentra_lora.crops import centre_crop
from gentra_lora.held_out import held_out_errors, held_out_timesteps
from gentra_lora.latents import load_split, read_index
from gentra_lora.photo import open_upright, sha256_of
from gentra_lora.picture_request import PictureRequest, steps_of_schedule
from gentra_lora.score_rows import (
    RealPhotos,
    add_copying,
    add_drift,
    add_likeness,
    add_prompt_match,
    loss_rows,
    picture_rows,
    real_rows,
)
from gentra_lora.scores import nearest, paired_similarity

STRIP_PHOTOS = 3  # held-out photos that are redrawn at each strength


@dataclass(frozen=True)
class Plan:
    """All pictures of prompts, by group (see score_rows.py), and of held-out photos redrawn, by strength."""

    groups: dict[str, list[PictureRequest]]
    photos: list[str]  # the held-out photo of each request of the groups likeness and class
    strips: dict[float, list[PictureRequest]]
    strip_photos: list[str]

    @property
    def prompts(self):
        """All prompts, each once."""
        return list(dict.fromkeys(request.prompt for requests in self.groups.values() for request in requests))

    @property
    def count(self):
        """How many pictures are asked for, by the base and by the adapter together."""
        return 2 * sum(map(len, [*self.groups.values(), *self.strips.values()]))


@dataclass(frozen=True)
class Evaluated:
    """What was found of an adapter."""

    plan: Plan
    drawn: dict  # {group: {"adapter", "base"}: pictures}
    rows: list[dict]  # see score_rows.py
    metrics: dict
    setup: dict  # see scored_run.py
    header: dict  # of the adapter's file

    def shown(self):
        """Yield (row, picture) of all that the adapter drew for prompts."""
        for group in self.plan.groups:
            of_group = [row for row in self.rows if row.get("group") == group and row["adapter"]]
            yield from zip(of_group, self.drawn[group]["adapter"], strict=True)


def make_plan(held_out, folder, config, resolution, plain):
    """Return the Plan of an evaluation.

    Args:
        held_out: the manifest's rows; their files lie in `folder`.
        config: has the fields of params.yaml's evaluate block.
        plain: a function: a prompt with its trigger word read as the class noun.

    Raises:
        GenerationError: a strength needs more steps than the noise schedule has.
    """

    steps = config.num_inference_steps

    def requests(prompts):
        shape = steps, config.guidance_scale, resolution, resolution
        return [PictureRequest(prompt, seed, *shape) for prompt in prompts for seed in config.seeds]

    captions = [row.caption for row in held_out]
    groups = {
        "likeness": requests(captions),
        "class": requests([plain(caption) for caption in captions]),
        "prompt": requests(config.prompts),
        "drift": requests(config.drift_prompts),
    }
    shown = held_out[:STRIP_PHOTOS]
    first = [groups["likeness"][n * len(config.seeds)] for n in range(len(shown))]
    paths = [folder / row.file_name for row in shown]
    photos = [{"photo": open_upright(path), "photo_sha256": sha256_of(path)} for path in paths]
    strips = {
        strength: [
            replace(request, strength=strength, num_inference_steps=steps_of_schedule(steps, strength), **photo)
            for request, photo in zip(first, photos, strict=True)
        ]
        for strength in config.img2img_strengths
    }
    names = [row.file_name for row in held_out for _ in config.seeds]
    return Plan(groups, names, strips, [row.file_name for row in shown])


def held_out_rows(engine, factors, noise_scheduler, folder):
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


def open_processed(folder, rows, resolution):
    """Return {file name: centre crop, uint8 (R, R, 3)} of processed photos."""
    return {row.file_name: np.array(centre_crop(open_upright(folder / row.file_name), resolution)) for row in rows}


def score(plan, drawn, real, likeness, matching, plain):
    """Return the rows of all pictures and of the real photos.

    Args:
        drawn: {group: {"adapter", "base"}: pictures}.
        real: RealPhotos.
        likeness, matching: FeatureModel for pictures, and for pictures and prompts.
    """
    scores = real_rows(real)
    for group, requests in plan.groups.items():
        pictures = drawn[group]
        features = {name: likeness.of_pictures(made) for name, made in pictures.items()}
        of_photos = plan.photos if group in ("likeness", "class") else None
        group_rows = picture_rows(group, requests, pictures, features, of_photos)
        if of_photos:
            add_likeness(group_rows, features, real)
        if group in ("likeness", "prompt"):
            add_copying(group_rows, features, real)
        if group == "drift":
            add_drift(group_rows, features)
        if group == "prompt":
            wanted = matching.of_prompts([plain(request.prompt) for request in requests])
            add_prompt_match(group_rows, {name: matching.of_pictures(made) for name, made in pictures.items()}, wanted)
        scores += group_rows
    return scores


def real_photos(photos, rows, likeness, matching, plain):
    """Return the RealPhotos of a manifest's rows.

    The ceiling of a held-out photo is the training photo whose caption is nearest: a perfect adapter's picture could be
    no more alike than another photo of the same scene.
    """
    parts = {split: [row for row in rows if row.split == split] for split in ("held_out", "train")}
    names = {split: [row.file_name for row in part] for split, part in parts.items()}
    features = {split: likeness.of_pictures([photos[name] for name in of]) for split, of in names.items()}
    captions = {split: matching.of_prompts([plain(row.caption) for row in part]) for split, part in parts.items()}
    _, place = nearest(captions["held_out"], captions["train"])
    ceiling = paired_similarity(features["train"][place], features["held_out"]).tolist()
    matches = {}
    for split, of in names.items():
        pictures = matching.of_pictures([photos[name] for name in of])
        matches |= dict(zip(of, paired_similarity(pictures, captions[split]).tolist(), strict=True))
    return RealPhotos(names["held_out"], names["train"], features["held_out"], features["train"], ceiling, matches)


def nearest_photos(prompts, rows, photos, matching, plain):
    """Return for each prompt the real photo whose caption is nearest."""
    wanted, captions = (
        matching.of_prompts([plain(text) for text in of]) for of in (prompts, [r.caption for r in rows])
    )
    return [photos[rows[n].file_name] for n in nearest(wanted, captions)[1].tolist()]
