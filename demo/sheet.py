"""Stage sheet: what the base draws for prompts drawn by a seed, beside renders of the same words, by the judge.

Writes docs/demo/base.jpg (the first 60 pictures, unchosen), and base_scores.json:
how often style, colour, setting and view are what the prompt says, the kernel distance to renders of the same prompts
beside that of renders to other renders, and what nano CLIP reads of renders.
"""

import json
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image

from captions import random_car, random_scene
from clip_reader import ClipReader, prompt_of
from judge import kernel_distance, load, seen, share_right
from renderer import render
from training import load_params

CLIP, BASE = Path("../models/nano-clip"), Path("../models/nano-sd")
SHEET = Path("../docs/demo/base.jpg")
SHOWN, ACROSS = 60, 10


def scenes_of(params, accessories):
    """Return scenes of ordinary cars, a pure function of the seed."""
    rng = random.Random(params["seed"])
    return [random_scene(random_car(rng, accessories), rng) for _ in range(params["pictures"])]


def again(scenes, seed):
    """Return the scenes with another camera, sun and ground."""
    rng = random.Random(seed)
    return [random_scene(scene.car, rng, scene.setting, scene.view) for scene in scenes]


def draw(base, prompts, params):
    """Return pictures (N, 128, 128, 3), uint8, one seed a prompt."""
    pipeline = StableDiffusionPipeline.from_pretrained(base)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    drawn = []
    for start in range(0, len(prompts), 10):
        chunk = prompts[start : start + 10]
        drawn.append(
            pipeline(
                chunk,
                generator=[torch.Generator().manual_seed(params["seed"] + start + n) for n in range(len(chunk))],
                height=128,
                width=128,
                num_inference_steps=params["num_inference_steps"],
                guidance_scale=params["guidance_scale"],
                output_type="np",
            ).images
        )
    return (np.concatenate(drawn) * 255).round().astype(np.uint8)


def rendered(scenes):
    return np.stack([render(scene, 128) for scene in scenes])


def save_sheet(pictures, path):
    """Write the pictures in rows of ACROSS."""
    rows = [np.concatenate(pictures[n : n + ACROSS], axis=1) for n in range(0, len(pictures), ACROSS)]
    Image.fromarray(np.concatenate(rows)).save(path, quality=92)


def main(base=BASE):
    params, judge = load_params("sheet"), load()
    scenes = scenes_of(params, "wing")
    prompts = [prompt_of(scene) for scene in scenes]
    started = time.monotonic()
    drawn = draw(base, prompts, params)
    print(f"{len(drawn)} pictures in {time.monotonic() - started:.0f} s", flush=True)
    sets = {"base": drawn, "renders": rendered(scenes), "other_renders": rendered(again(scenes, params["seed"] + 1))}
    features, labels = {}, {}
    for name, pictures in sets.items():
        features[name], labels[name] = seen(judge, pictures)
    scores = {name: share_right(labels[name], prompts) for name in ("base", "renders")}
    for name in ("base", "other_renders"):
        scores.setdefault(name, {})["distance_to_renders"] = round(
            kernel_distance(features[name], features["renders"]), 4
        )
    save_sheet(drawn[:SHOWN], SHEET if Path(base) == BASE else "work/other_base.jpg")
    if Path(base) == BASE:
        every = scenes_of(params, "all")
        pictures, clip = rendered(every), ClipReader(CLIP)
        judged = share_right(seen(judge, pictures)[1], [prompt_of(scene) for scene in every])
        scores["renders_with_all_parts"] = {
            "judge": judged,
            "nano_clip": clip.read(pictures, every),
            "nano_clip_features": clip.tells_features(pictures, every),
        }
        Path("base_scores.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(scores, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
