"""The held-out loss at equal steps of our recipe, of changed ones, and of the plain loop's, over three seeds.

`python bench/recipes.py [NAME ...]` trains each for the steps of params.yaml (about two minutes each on two cores) and
adds to bench/recipes.json; run `dvc repro cache_latents` before. All are measured by one ruler: the held-out photos on
fixed noise, unweighted, relative to the base.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator

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
from gentra_lora.params import load_params
from gentra_lora.photos.manifest import read_manifest
from gentra_lora.training.held_out import banded, held_out_errors
from gentra_lora.training.run import Training, TrainingData

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

    base, lowest = measure(), (float("inf"), 0)
    while training.step < config.steps:
        training.run_step()
        if training.step % 100 == 0 or training.step == config.steps:
            last = measure()
            lowest = min(lowest, (last["whole"], training.step))
    relative = {band: round(last[band] / base[band], 4) for band in last}
    return {"held_out": round(last["whole"], 5), "relative": relative, "lowest_at": lowest[1]}


def main(names):
    params = load_params()
    source, index = BaseSource(**params.base.model_dump()), read_index(LATENTS_DIR)
    held_out, empty_prompt = load_split(LATENTS_DIR, "held_out"), read_empty_prompt(LATENTS_DIR)
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
