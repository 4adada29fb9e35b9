"""Stage sheet: what the base draws for fixed prompts, beside renders of the same words, and nano CLIP's opinion.

Writes work/base_sheet.png and base_scores.json: prompt match of the base and of real renders, and how often nano CLIP
picks the right body style, colour, setting and view from the base's pictures.
"""

import json
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from captions import PLACES, TRIGGER_WORD, name_of, random_scene
from car import COLOURS, SHAPES, Car
from renderer import render
from scene import SETTINGS, VIEWS
from training import load_params, to_pixel_values

CLIP, BASE = Path("../models/nano-clip"), Path("../models/nano-sd")


def fixed_scenes(count, seed):
    """Return scenes of plain ordinary cars that cover styles, colours, settings and views evenly."""
    names = [list(SHAPES), list(COLOURS), list(SETTINGS), list(VIEWS)]
    rng = random.Random(seed)
    scenes = []
    for n in range(count):
        style, colour, setting, view = (choices[(n + n // len(choices)) % len(choices)] for choices in names)
        scenes.append(random_scene(Car(style, colour), rng, setting, view))
    return scenes


def prompt_of(scene):
    return f"a photo of {name_of(scene.car)} {PLACES[scene.setting][0]}, {scene.view}"


def draw(pipeline, prompts, params):
    """Return pictures (N, 128, 128, 3), uint8, one seed a prompt."""
    made = []
    for start in range(0, len(prompts), 8):
        chunk = prompts[start : start + 8]
        generators = [torch.Generator().manual_seed(params["seed"] + start + n) for n in range(len(chunk))]
        made += pipeline(
            chunk,
            generator=generators,
            height=128,
            width=128,
            num_inference_steps=params["num_inference_steps"],
            guidance_scale=params["guidance_scale"],
            output_type="np",
        ).images.tolist()
    return (np.array(made) * 255).round().astype(np.uint8)


@torch.no_grad()
def features(model, tokenizer, pictures=None, prompts=None):
    if pictures is not None:
        found = model.get_image_features(to_pixel_values(torch.from_numpy(pictures).permute(0, 3, 1, 2)))
    else:
        ids = tokenizer(prompts, padding="max_length", return_tensors="pt").input_ids
        found = model.get_text_features(ids)
    return F.normalize(getattr(found, "pooler_output", found), dim=1)


def recognised(model, tokenizer, pictures, scenes):
    """Return the share of pictures for which the right word of each kind fits best, the others kept as they are."""
    kinds = {"style": list(SHAPES), "colour": list(COLOURS), "setting": list(SETTINGS), "view": list(VIEWS)}
    seen = features(model, tokenizer, pictures=pictures)
    shares = {}
    for kind, choices in kinds.items():
        right = 0
        for row, scene in zip(seen, scenes, strict=True):
            truth = {
                "style": scene.car.style,
                "colour": scene.car.colour,
                "setting": scene.setting,
                "view": scene.view,
            }
            prompts = []
            for choice in choices:
                said = truth | {kind: choice}
                car = name_of(Car(said["style"], said["colour"]))
                prompts.append(f"a photo of {car} {PLACES[said['setting']][0]}, {said['view']}")
            best = int((features(model, tokenizer, prompts=prompts) @ row).argmax())
            right += choices[best] == truth[kind]
        shares[kind] = round(right / len(scenes), 3)
    return shares


def main():
    params = load_params("sheet")
    pipeline = StableDiffusionPipeline.from_pretrained(BASE)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    model = CLIPModel.from_pretrained(CLIP, dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(CLIP)
    scenes = fixed_scenes(params["pictures"], params["seed"])
    prompts = [prompt_of(scene) for scene in scenes]
    drawn = draw(pipeline, prompts, params)
    real = np.stack([render(scene, 128) for scene in scenes])
    words = features(model, tokenizer, prompts=prompts)
    scores = {"prompts": len(prompts)}
    for name, pictures in (("base", drawn), ("render", real)):
        match = (features(model, tokenizer, pictures=pictures) * words).sum(dim=1).mean()
        scores[name] = {"prompt_match": round(float(match), 4), **recognised(model, tokenizer, pictures, scenes)}
    subject = draw(
        pipeline, [f"a photo of a {TRIGGER_WORD} {PLACES[s][0]}, front three quarter view" for s in SETTINGS], params
    )
    rows = [np.concatenate(rows, axis=1) for rows in (drawn[:6], real[:6], drawn[6:12], real[6:12], subject)]
    Image.fromarray(np.concatenate(rows)).resize((6 * 192, 5 * 192)).save("work/base_sheet.png")
    Path("base_scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    print("\n".join(f"{n + 1:2}: {prompt}" for n, prompt in enumerate(prompts[:12])))
    print(json.dumps(scores, indent=2))


if __name__ == "__main__":
    main()
