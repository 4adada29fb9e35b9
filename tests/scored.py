"""Rows of an evaluation as score_rows.py makes them, with values that a test plants, and photos to measure."""

import random

import numpy as np
from PIL import Image

from gentra_lora.evaluation.scored_run import ScoredRun
from gentra_lora.photos.manifest import Row
from gentra_lora.training.held_out import BANDS

PHOTOS, PROMPTS, DRIFT, SEEDS = (
    [f"{n}.png" for n in range(6)],
    ["in snow", "at night"],
    ["a van", "a cat", "a dog"],
    [1, 2],
)
SETUP = {
    "ruler": "2",
    "base": "nano@1",
    "likeness_model": "clip@1",
    "prompt_model": "clip@1",
    "judge": None,
    "held_out": dict.fromkeys(PHOTOS, "0" * 64),
    "captions": [f"caption of {name}" for name in PHOTOS],
    "class_prompts": [f"class {name}" for name in PHOTOS],
    "prompts": PROMPTS,
    "drift_prompts": DRIFT,
    "seeds": SEEDS,
    "resolution": 128,
    "num_inference_steps": 20,
    "guidance_scale": 2.5,
    "device": "cpu",
    "precision": "no",
    "versions": {"torch": "2.13"},
    "weights_sha256": "1" * 64,
}
PARAMS = {"train": {"rank": 16, "seed": 1}}
VALUES = {
    "loss": 0.05,
    "likeness": 0.8,
    "class": 0.5,
    "prompt_match": 0.4,
    "drift": 0.2,
    "diversity": 1.0,
    "copied": False,
}
BASE = {
    "loss": 0.08,
    "likeness": 0.3,
    "class": 0.4,
    "prompt_match": 0.5,
    "drift": None,
    "diversity": 3.0,
    "copied": False,
}


def spread(*parts):
    """Return a number from -1 to 1 that depends on the parts alone: what makes one prompt harder than another."""
    return random.Random("/".join(map(str, parts))).uniform(-1, 1)


def rows_of(adapter=VALUES, base=BASE, wobble=0.01, key=""):
    """Return rows with the planted means; `wobble` varies them by prompt and seed, in another way for each `key`."""
    rows = [{"group": "real", "photo": name, "prompt_match": 0.45, "subject_similarity": 0.9} for name in PHOTOS]
    for name, values in (("adapter", VALUES | adapter), ("base", BASE | base)):
        is_adapter = name == "adapter"
        for group, prompts in (("likeness", PHOTOS), ("class", PHOTOS), ("prompt", PROMPTS), ("drift", DRIFT)):
            for prompt in prompts:
                for seed in SEEDS:
                    extra = wobble * (spread(group, prompt, seed) + spread(key, group, prompt, seed) / 2)
                    row = {"group": group, "prompt": prompt, "seed": seed, "adapter": is_adapter, "fault": None}
                    row |= {"photo": prompt} if group in ("likeness", "class") else {}
                    row |= {"distance": 0.2 + extra / 4}
                    if group in ("likeness", "class"):
                        row |= {"subject_similarity": values[group] + extra}
                    if group in ("likeness", "prompt"):
                        row |= {"diversity": values["diversity"] + extra}
                        row |= {"copied": values["copied"], "nearest_train": 0.7 + extra, "nn_gap": 0.1}
                        row |= {"nearest_train_photo": "train.png"}
                    if group == "prompt":
                        row |= {"prompt_match": values["prompt_match"] + extra}
                    if group == "drift" and is_adapter:
                        row |= {"drift": values["drift"] + extra}
                    rows.append(row)
        for photo in PHOTOS:
            for timestep, band in enumerate(BANDS):
                extra = wobble * (spread(photo, timestep) + spread(key, photo, timestep) / 20) / 10
                row = {"photo": photo, "timestep": timestep, "noise": 0, "band": band, "adapter": is_adapter}
                rows.append(row | {"loss": values["loss"] + extra})
    return rows


def run_of(name="a", setup=None, params=None, **rows):
    """Return a ScoredRun of such rows."""
    return ScoredRun(name, SETUP | (setup or {}), rows_of(**rows), {}, params or PARAMS)


def write_rows(folder):
    """Write photos of four captions into a folder, four held out and three to train on; return the manifest's rows."""
    found = []
    for n, split in enumerate(["held_out"] * 4 + ["train"] * 3):
        pixels = np.random.default_rng(n).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(folder / f"{n}.png")
        found.append(Row(f"{n}.png", str(n) * 64, f"a gentra, view {n % 4}", split, 64, 64))
    return found
