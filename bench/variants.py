"""Runs of the demo that differ in one thing, each evaluated, and what `gentra-lora compare` says of them.

`python bench/variants.py` trains and evaluates each of VARIANTS for less than a third of the demo's steps (the one on a
single photo for more; two to five minutes each on two cores), and writes bench/variants.json; what is done already lies
in bench/variants/ and is not done again. Run `dvc repro cache_latents` before.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from gentra_lora.adapter.file import read_adapter, write_adapter
from gentra_lora.commands.noise import noise_of
from gentra_lora.commands.params_edit import with_values
from gentra_lora.evaluation.compare import compare
from gentra_lora.evaluation.scored_run import METRICS, SCORES, SETUP, parsed_run
from gentra_lora.evaluation.shown.comparison_text import as_json, text_lines, verdict_lines
from gentra_lora.params import load_params

ROOT, WORK, RESULT = Path(__file__).parents[1], Path(__file__).with_suffix(""), Path(__file__).with_suffix(".json")
STEPS = 200
# No pictures on the way, and no checkpoints but by the clock and at the end.
UNATTENDED = {"train.sample_every": "null", "train.checkpoint_every": 999}
# Less than a third of the demo's steps, and half its seeds, strengths and scales or fewer: dozens of runs an evening.
SETTINGS = UNATTENDED | {"train.steps": STEPS, "train.lr_warmup_steps": 10, "train.held_out_every": 100}
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
    "one photo": {"train.steps": STEPS * 2},
    "shuffled captions": {},
    "zero": {},
    "scale 3": {},
    "learning rate x 4": {"train.learning_rate": 0.008},
    "learning rate / 4": {"train.learning_rate": 0.0005},
    "rank 4": {"train.rank": 4, "train.lora_alpha": 4},
    "one crop": {"cache_latents.crop_variants": 1},
    "attention": {"train.target_modules": "attention"},
    "rank 64": {"train.rank": 64, "train.lora_alpha": 64},
}
# What docs/tuning.md tells, beside the first seed.
TOLD = ("tenth of the steps", "half the steps", "learning rate x 4", "learning rate / 4", "rank 4", "rank 64")
TOLD += ("attention", "one crop")
TRAINED_ELSEWHERE = {"zero": 0.0, "scale 3": 3.0}  # the first noise run at another strength
ADAPTER = Path("models/sport_gentra_lora.safetensors")


LINKS = ("data/processed", "data/latents", "models/nano-sd", "models/nano-clip", "reports/noise.json", "dvc.yaml")
LINKS += ("demo/judge.safetensors",)


def folder_of(name):
    """Return a variant's folder, a project with its parameters."""
    return project(WORK / name.replace(" ", "_").replace("/", "by"), SETTINGS | VARIANTS[name])


def project(folder, values):
    """Return the folder, made a project with the demo's parameters but for `values`; what is the same is linked."""
    for link in LINKS:
        path = folder / link
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.exists() or path.is_symlink()):
            path.symlink_to(ROOT / link)
    text = (ROOT / "profiles/demo.yaml").read_text(encoding="utf-8")
    edits = {key: str(value) for key, value in values.items()}
    (folder / "params.yaml").write_text(with_values(text, edits), encoding="utf-8")
    return folder


def stage(folder, name):
    """Run a stage in a project's folder."""
    # A training of planted latents must not go on from another one's checkpoint; the base's pictures are shared.
    checkpoints = folder.parent / "checkpoints" / (folder.name if name == "train" else "")
    environment = os.environ | {"GENTRA_CHECKPOINTS": str(checkpoints)}
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
    """Give a variant latents with a fault: the first photo under all captions, or each photo with another's caption."""
    latents = folder / "data/latents"
    latents.unlink()
    shutil.copytree(ROOT / "data/latents", latents)
    index = json.loads((latents / "index.json").read_text(encoding="utf-8"))
    files = [latents / f"{row['key']}.safetensors" for row in index["photos"] if row["split"] == "train"]
    found = [load_file(file) for file in files]
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(1)).tolist()
    for n, file in enumerate(files):
        if fault == "one photo":
            centre = {name: found[0][name][:1].expand_as(found[n][name]).contiguous() for name in ("mean", "std")}
            save_file(found[n] | centre, file)
        else:
            save_file(found[n] | {"prompt_embeds": found[order[n]]["prompt_embeds"]}, file)


def evaluate(name):
    """Evaluate a variant, unless it is; against the photos and latents of the demo, whatever it was trained on."""
    folder = folder_of(name)
    if (folder / METRICS).exists():
        return
    print(f"--- evaluate {name}", flush=True)
    if not (folder / "data/latents").is_symlink():
        (folder / "data/latents").rename(folder / "data/latents_of_its_own")
        folder_of(name)
    stage(folder, "evaluate")


def scored(folder, name):
    """Return the ScoredRun of a project that was evaluated; it has no dvc.lock, as its stages ran without DVC."""
    setup, scores, metrics = ((folder / path).read_text(encoding="utf-8") for path in (SETUP, SCORES, METRICS))
    return parsed_run(name, setup, scores, metrics, load_params(folder / "params.yaml").model_dump())


def trained_and_scored(folder, name):
    """Train and evaluate a project, as far as it is not done; return its ScoredRun."""
    for made, by in ((ADAPTER, "train"), (METRICS, "evaluate")):
        if not (folder / made).exists():
            print(f"--- {by} {name}", flush=True)
            stage(folder, by)
    return scored(folder, name)


def planted(metrics):
    """Return whether each planted fault moved its metric in the right direction, with the metric's values."""
    drift = "drift_in_seeds"
    plain, zero, strong = (metrics[name] for name in (NOISE[0], "zero", "scale 3"))
    copying, shuffled = metrics["one photo"], metrics["shuffled captions"]
    return {
        "one photo: copy_rate": [plain["copy_rate"], copying["copy_rate"], copying["copy_rate"] > plain["copy_rate"]],
        f"scale 3: {drift}": [plain[drift], strong[drift], strong[drift] > plain[drift]],
        "scale 3: prompt_match": [
            plain["prompt_match"],
            strong["prompt_match"],
            strong["prompt_match"] < plain["prompt_match"],
        ],
        "zero: gap_closed": [plain["gap_closed"], zero["gap_closed"], zero["gap_closed"] == 0],
        f"zero: {drift}": [plain[drift], zero[drift], zero[drift] == 0],
        "shuffled captions: prompt_match": [
            plain["prompt_match"],
            shuffled["prompt_match"],
            shuffled["prompt_match"] < plain["prompt_match"],
        ],
    }


def result():
    """Return what is written to bench/variants.json."""
    runs = {name: scored(folder_of(name), name) for name in VARIANTS}
    noise = noise_of([runs[name] for name in NOISE], range(1, len(NOISE) + 1))
    pairs = list(combinations(TWINS, 2))
    comparisons = {f"{one}, {other}": compare(runs[one], runs[other], noise) for one, other in pairs}
    equal = {pair for pair, found in comparisons.items() if verdict_lines(found)[0].startswith("no difference")}
    tenth = compare(runs[NOISE[0]], runs["tenth of the steps"], noise)
    return {
        "settings": {key: str(value) for key, value in SETTINGS.items()},
        "twins": {"pairs": len(pairs), "no_difference": len(equal), "others": sorted(comparisons.keys() - equal)},
        "tenth": as_json(tenth),
        "planted": planted({name: run.metrics for name, run in runs.items()}),
        "noise": asdict(noise)["metrics"],
        "metrics": {name: run.metrics for name, run in runs.items()},
        "texts": {name: text_lines(compare(runs[NOISE[0]], runs[name], noise)) for name in TOLD},
    }


def main(names):
    for name in names or VARIANTS:
        train(name)
    for name in names or VARIANTS:
        evaluate(name)
    if not names:
        RESULT.write_text(json.dumps(result(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
