"""Runs of the demo that differ in one thing, each evaluated, and what `gentra-lora compare` says of them.

`python bench/variants.py` trains and evaluates each of VARIANTS for a third of the demo's steps (two to five minutes
each on two cores), and writes bench/variants.json; what is done already lies in bench/variants/ and is not done
again. Run `dvc repro cache_latents` before.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from gentra_lora.adapter_file import read_adapter, write_adapter
from gentra_lora.params_edit import with_values

ROOT, WORK, RESULT = Path(__file__).parents[1], Path(__file__).with_suffix(""), Path(__file__).with_suffix(".json")
STEPS = 200
# A third of the demo's steps, and pictures of half the denoising steps: dozens of runs in an evening.
SETTINGS = {
    "train.steps": STEPS,
    "train.lr_warmup_steps": 10,
    "train.sample_every": "null",
    "train.checkpoint_every": 999,
}
SETTINGS |= {"train.held_out_every": 100}
SETTINGS |= {"evaluate.num_inference_steps": 10, "evaluate.seeds": "[4, 5]", "evaluate.adapter_scales": "[1.0]"}
SETTINGS |= {"evaluate.img2img_strengths": "[0.5]"}
TWINS = tuple(f"twin {n}" for n in range(1, 8))
NOISE = tuple(f"seed {n}" for n in range(1, 4))  # what `gentra-lora noise` would train
HALF = {"train.steps": STEPS // 2, "train.lr_warmup_steps": 5}
VARIANTS = {name: {"train.seed": n} for n, name in enumerate(NOISE, 1)}
VARIANTS |= {name: {"train.seed": 10 + n} for n, name in enumerate(TWINS)}
VARIANTS |= {
    "tenth of the steps": {"train.steps": STEPS // 10, "train.lr_warmup_steps": 1},
    "half the steps": HALF,
    "one photo": HALF,
    "shuffled captions": HALF,
    "zero": {},
    "scale 3": {},
    "learning rate x 4": {"train.learning_rate": 0.008},
    "learning rate / 4": {"train.learning_rate": 0.0005},
    "rank 4": {"train.rank": 4, "train.lora_alpha": 4},
    "one crop": {"cache_latents.crop_variants": 1},
    "attention": {"train.target_modules": "attention"},
    "rank 64": {"train.rank": 64, "train.lora_alpha": 64},
}
TRAINED_ELSEWHERE = {"zero": 0.0, "scale 3": 3.0}  # the first noise run at another strength
ADAPTER = Path("models/sport_gentra_lora.safetensors")


def folder_of(name):
    """Return a variant's folder, a project with what is the same for all linked into it."""
    folder = WORK / name.replace(" ", "_").replace("/", "by")
    for link in (
        "data/processed",
        "data/latents",
        "models/nano-sd",
        "models/nano-clip",
        "reports/noise.json",
        "dvc.yaml",
    ):
        path = folder / link
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.exists() or path.is_symlink()):
            path.symlink_to(ROOT / link)
    text = (ROOT / "profiles/demo.yaml").read_text(encoding="utf-8")
    edits = {key: str(value) for key, value in (SETTINGS | VARIANTS[name]).items()}
    (folder / "params.yaml").write_text(with_values(text, edits), encoding="utf-8")
    return folder


def stage(folder, name):
    """Run a stage in a variant's folder."""
    environment = os.environ | {"GENTRA_CHECKPOINTS": str(WORK / "checkpoints")}
    subprocess.run([sys.executable, "-m", f"gentra_lora.stages.{name}"], cwd=folder, env=environment, check=True)


def train(name):
    """Train a variant, unless it is trained."""
    folder = folder_of(name)
    if (folder / ADAPTER).exists():
        return
    print(f"--- train {name}", flush=True)
    if name in TRAINED_ELSEWHERE:
        scaled(folder_of(NOISE[0]), folder, TRAINED_ELSEWHERE[name])
        return
    if name == "one crop":
        (folder / "data/latents").unlink()
        stage(folder, "cache_latents")
    if name in ("one photo", "shuffled captions"):
        plant(folder, name)
    stage(folder, "train")


def scaled(source, folder, strength):
    """Copy a run with its adapter's strength changed."""
    shutil.copytree(source / "reports/train", folder / "reports/train", dirs_exist_ok=True)
    tensors, metadata = read_adapter(source / ADAPTER)
    tensors = {key: tensor * strength if key.endswith("lora_up.weight") else tensor for key, tensor in tensors.items()}
    write_adapter(folder / ADAPTER, tensors, metadata)


def plant(folder, fault):
    """Give a variant latents with a fault: one photo alone, or each training photo with another one's caption."""
    latents = folder / "data/latents"
    latents.unlink()
    shutil.copytree(ROOT / "data/latents", latents)
    index = json.loads((latents / "index.json").read_text(encoding="utf-8"))
    photos = [row for row in index["photos"] if row["split"] == "train"]
    if fault == "one photo":
        index["photos"] = [row for row in index["photos"] if row["split"] != "train" or row == photos[0]]
        (latents / "index.json").write_text(json.dumps(index), encoding="utf-8")
        return
    files = [latents / f"{row['key']}.safetensors" for row in photos]
    embeds = [load_file(file)["prompt_embeds"] for file in files]
    for file, other in zip(files, torch.randperm(len(files), generator=torch.Generator().manual_seed(1)), strict=True):
        save_file(load_file(file) | {"prompt_embeds": embeds[other]}, file)


def main(names):
    for name in names or VARIANTS:
        train(name)


if __name__ == "__main__":
    main(sys.argv[1:])
