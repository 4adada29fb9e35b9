"""The held-out loss at equal steps of our recipe, of changed ones, and of the plain loop's, over three seeds.

`python bench/recipes.py [NAME ...]` trains each for the steps of params.yaml (three to six minutes each on two cores)
and adds to bench/recipes.json; run `dvc repro cache_latents` before. All are measured by one ruler: the held-out photos
on fixed noise, unweighted, relative to the base.

`python bench/recipes.py "time to quality"`, seven minutes a seed, writes bench/time_to_quality.json: how many times
sooner than the plain loop ours reaches the held-out loss that the plain loop ends with. The plain loop is
bench/train.py's, which opens and encodes the photos in every step. Steps of both are timed in turns, so that the ratio
holds on a noisy machine:

    steps of the plain loop / our steps until then  x  median over the turns of (its seconds / our seconds)

For the shape of Stable Diffusion 1.5, whose weights would take days here, the first factor is the nano base's and the
second is bench/train.json's. The cache that ours reads is made before, once for all trainings, and is not counted.
"""

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from train import Parts, PlainLoop

from gentra_lora.base.allocator import keep_freed_memory
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import (
    BaseSource,
    load_noise_scheduler,
    load_text_encoder,
    load_tokenizer,
    load_unet,
    load_vae,
)
from gentra_lora.latents.base_predictions import load_predictions
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.latents.cached_photos import load_split, read_empty_prompt, read_index
from gentra_lora.latents.posteriors import token_ids
from gentra_lora.params import load_params
from gentra_lora.photos.manifest import read_manifest
from gentra_lora.training.batches import TrainingData
from gentra_lora.training.held_out import banded, held_out_errors
from gentra_lora.training.run import Training

PROCESSED_DIR, LATENTS_DIR, RESULT = Path("data/processed"), Path("data/latents"), Path(__file__).with_suffix(".json")
SEEDS = (1, 2, 3)
# What the usual script does: attention only, one centre crop, independent timesteps, an unweighted loss.
PLAIN = {"target_modules": "attention", "timesteps": "uniform", "loss_weighting": "none", "caption_dropout": 0.0}
PLAIN |= {"prior_weight": 0.0}
RECIPES = {
    "ours": {},
    "plain loop": PLAIN,
    "no preservation": {"prior_weight": 0.0},
    "uniform timesteps": {"timesteps": "uniform"},
    "no crop variants": {},
    "attention": {"target_modules": "attention"},
    "attention+ff": {"target_modules": "attention+ff"},
    "no loss weighting": {"loss_weighting": "none"},
    "EMA 0.99": {"ema_decay": 0.99},
    "noise offset 0.05": {"noise_offset": 0.05},
    "LoRA dropout 0.1": {"lora_dropout": 0.1},
    "Prodigy": {"optimizer": "prodigy", "learning_rate": 1.0},
    "linear": {"lr_scheduler": "linear"},
    "constant": {"lr_scheduler": "constant"},
    "constant, EMA 0.99": {"lr_scheduler": "constant", "ema_decay": 0.99},
    "cosine, 3 restarts": {"lr_scheduler": "cosine_with_restarts", "lr_restarts": 3},
}
ONE_CROP = ("plain loop", "no crop variants")
TIME, TIME_RESULT = "time to quality", RESULT.with_name("time_to_quality.json")
RACING = ("ours", "no preservation")
TURN = 5  # steps
PHOTOS = "1 megapixel"  # of bench/train.json's plain loop, for the shape of SD 1.5


def photos_of_one_crop(source, folder):
    """Return the training photos with their centre crop alone, cached in `folder`."""
    parts = load_vae(source), load_tokenizer(source), load_text_encoder(source)
    cache = LatentCache(folder, *parts, CropSettings(1, 1.0, flip=False), 2)
    rows = [row for row in read_manifest(PROCESSED_DIR / "manifest.jsonl") if row.split == "train"]
    keys = [cache.add_photo(row, PROCESSED_DIR / "images" / row.file_name) for row in rows]
    listing = [
        {"file_name": row.file_name, "sha256": row.sha256, "split": "train", "key": key}
        for row, key in zip(rows, keys, strict=True)
    ]
    cache.write_index(listing, cache.add_prompt(""), "", {})
    return load_split(folder, "train")


def train(source, config, data, held_out):
    """Return what the base and the trained adapter have as held-out loss."""
    unet, noise_scheduler = load_unet(source, torch.float32), load_noise_scheduler(source)
    training = Training(unet, noise_scheduler, data, config, Accelerator(cpu=True))

    def measure():
        with training.kept.in_place():
            return banded(held_out_errors(training.unet, noise_scheduler, held_out, data.scaling_factor))

    base = measure()
    while training.step < config.steps:
        training.run_step()
    last = measure()
    relative = {band: round(last[band] / base[band], 4) for band in last}
    return {"held_out": round(last["whole"], 5), "relative": relative}


def plain_loop(source, params):
    """Return the plain loop on the training photos: attention only, a crop at random, each with its caption."""
    tokenizer, rows = load_tokenizer(source), read_manifest(PROCESSED_DIR / "manifest.jsonl")
    folder = PROCESSED_DIR / "images"
    captions = {folder / row.file_name: token_ids(tokenizer, row.caption) for row in rows if row.split == "train"}
    models = load_unet(source, torch.float32), load_vae(source), load_text_encoder(source)
    size, batch_size = params.prepare.resolution, params.train.batch_size
    parts = Parts(size, batch_size, *models, load_noise_scheduler(source), next(iter(captions.values())))
    return PlainLoop(parts, list(captions), PLAIN["target_modules"], captions, flip=0.0)


def seconds_of_turn(step):
    started = time.perf_counter()
    for _ in range(TURN):
        step()
    return time.perf_counter() - started


def race(source, params, seed, index, held_out):
    """Return, for each of RACING, how many steps and turns' seconds it takes to what the plain loop ends with."""
    torch.manual_seed(seed)
    random.seed(seed)
    plain, noise_scheduler = plain_loop(source, params), load_noise_scheduler(source)

    def loss_of(unet):
        return float(held_out_errors(unet, noise_scheduler, held_out, index["scaling_factor"]).mean())

    for _ in range(params.train.steps):
        plain.step()
    wanted, found = loss_of(plain.parts.unet), {}
    print(seed, "plain loop", round(wanted, 5), flush=True)
    for name in RACING:
        photos, empty_prompt = load_split(LATENTS_DIR, "train"), read_empty_prompt(LATENTS_DIR)
        data = TrainingData(photos, empty_prompt, index["scaling_factor"], load_predictions(LATENTS_DIR))
        config = params.train.model_copy(update=RECIPES[name] | {"seed": seed})
        ours = Training(load_unet(source, torch.float32), noise_scheduler, data, config, Accelerator(cpu=True))
        losses, paces = [float("inf")], []
        while max(losses[-2:]) > wanted and ours.step < config.steps:
            # The plain loop has ended; that it goes on beside ours only tells how long its steps take meanwhile.
            paces.append((seconds_of_turn(plain.step), seconds_of_turn(ours.run_step)))
            losses.append(loss_of(ours.unet))
        found[name] = reached(config.steps, ours.step, wanted, losses, paces)
        print(seed, name, found[name], flush=True)
    return found


def reached(steps, taken, wanted, losses, paces):
    """Return how much sooner than in the plain loop's steps a loss was there, for two turns in a row."""
    if max(losses[-2:]) > wanted:
        raise RuntimeError(f"{losses[-1]:.5f} after {taken} steps, and the plain loop ends with {wanted:.5f}")
    pace = statistics.median(plain / ours for plain, ours in paces)
    seconds = {"seconds_a_step": round(statistics.median(ours for _, ours in paces) / TURN, 3)}
    sooner = {"times_by_steps": round(steps / taken, 2), "times": round(steps / taken * pace, 2)}
    return {"held_out": round(wanted, 5), "steps": taken} | seconds | sooner


def time_to_quality(source, params, index, held_out):
    """Write TIME_RESULT, and print the rows of its table in docs/training.md."""
    keep_freed_memory()  # as `train` does; the plain loop has it as well
    speed = json.loads(RESULT.with_name("train.json").read_text())["sd15"]  # run bench/train.py before
    paces = {"no preservation": speed["faster_than_plain_loop"][PHOTOS]}
    paces["ours"] = paces["no preservation"] / speed["preserving_of_the_step"]
    runs = [race(source, params, seed, index, held_out) for seed in SEEDS]
    result = {"steps": params.train.steps, "recipes": {}}
    for name in RACING:
        of = [run[name] for run in runs]
        by_steps = statistics.mean(run["times_by_steps"] for run in of)
        result["recipes"][name] = {
            "steps": [run["steps"] for run in of],
            "times": round(statistics.mean(run["times"] for run in of), 1),
            "sd15_times": round(by_steps * paces[name], 1),
            "runs": of,
        }
    TIME_RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for name, found in result["recipes"].items():
        steps = " to ".join(str(n) for n in sorted({min(found["steps"]), max(found["steps"])}))
        print(f"| {name} | {steps} | {found['times']:.1f} | {found['sd15_times']:.1f} |")


def main(names):
    params = load_params()
    source, index = BaseSource(**params.base.model_dump()), read_index(LATENTS_DIR)
    held_out, empty_prompt = load_split(LATENTS_DIR, "held_out"), read_empty_prompt(LATENTS_DIR)
    if names == [TIME]:
        time_to_quality(source, params, index, held_out)
        return
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        one_crop = photos_of_one_crop(source, Path(folder))
        for name in names or RECIPES:
            runs = []
            for seed in SEEDS:
                config = params.train.model_copy(update=RECIPES[name] | {"seed": seed})
                photos = one_crop if name in ONE_CROP else load_split(LATENTS_DIR, "train")
                data = TrainingData(photos, empty_prompt, index["scaling_factor"], load_predictions(LATENTS_DIR))
                runs.append(train(source, config, data, held_out))
                print(name, seed, runs[-1], flush=True)
            losses = [run["relative"]["whole"] for run in runs]
            spread = {"mean": round(statistics.mean(losses), 4), "lowest": min(losses), "highest": max(losses)}
            result[name] = spread | {"steps": params.train.steps, "runs": runs}
            RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    hush_libraries()
    main(sys.argv[1:])
