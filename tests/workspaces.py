"""Folders with photos, captions and a params.yaml for the tiny models, as they are after each stage."""

import shutil
from contextlib import chdir, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import yaml
from dvc.utils.serialize import dumps_yaml
from PIL import Image

from gentra_lora.params import parse_params
from gentra_lora.stages import cache_latents, evaluate, prepare, train
from tests.made_once import made_once

ROOT = Path(__file__).parent.parent
PROFILES = ("demo", "sd15_a100", "sd15_t4")  # those that ship; an owner may add some
needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this copy is no git repository")
FEWER_STEPS = train, "NUM_INFERENCE_STEPS", 2  # of sample pictures, which took half of a tiny training
STAGES = {"prepare": prepare, "cache_latents": cache_latents, "train": train, "evaluate": evaluate}


def shipped_dvc_yaml():
    """Return the text of dvc.yaml without the deps that `gentra-lora base` adds for an owner's local base."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    ours = ("${", "data/", "demo/", "models/nano-", "models/sport_gentra_lora.", "reports/", "src/")
    deps = [dep for stage in yaml.safe_load(text)["stages"].values() for dep in stage["deps"]]
    own = {f"      - {dep}" for dep in deps if not dep.startswith(ours)}
    return "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in own)


def demo_values():
    """Return the values of profiles/demo.yaml."""
    return parse_params((ROOT / "profiles/demo.yaml").read_text(encoding="utf-8"), "profiles/demo.yaml")


def tiny_values(base, clip):
    """Return the values of a params.yaml that takes seconds."""
    values = demo_values()
    values["base"]["model"] = str(base)
    values["prepare"] |= {"raw_dir": "data/raw", "resolution": 64, "trigger_word": "gentra", "held_out_share": 0.3}
    values["cache_latents"] |= {"crop_variants": 2, "class_pictures": 2, "prior_draws": 2, "class_prompts": ["a bus"]}
    values["train"] |= {"rank": 4, "lora_alpha": 2, "steps": 6, "lr_warmup_steps": 1, "batch_size": 2}
    values["train"] |= {"prior_batch_size": 1, "held_out_every": 3, "checkpoint_every": 2}
    values["train"] |= {"sample_every": None, "sample_prompts": ["a gentra, snow"]}
    values["evaluate"] |= {"likeness_model": str(clip), "prompt_model": str(clip), "seeds": [1, 2], "judge": None}
    values["evaluate"] |= {"prompts": ["gentra, snow"], "drift_prompts": ["a van"], "num_inference_steps": 2}
    return values


def write_photos(folder, count=8, size=(96, 80)):
    """Write `count` photos of soft coloured patches, each its own, with captions; return their names."""
    images = folder / "images"
    images.mkdir(parents=True)
    names = [f"car{n}.png" for n in range(1, count + 1)]
    for n, name in enumerate(names):
        patches = np.random.default_rng(n).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC).save(images / name)
    (folder / "captions.txt").write_text("".join(f"{name}\ta gentra, view {name}\n" for name in names))
    return names


def change(workspace, block, **values):
    """Change values in the workspace's params.yaml."""
    path = workspace / "params.yaml"
    params = parse_params(path.read_text(), str(path))
    params[block] |= values
    path.write_text(dumps_yaml(params))


def link_to_cache(*paths):
    """Put links in place of files and of all files in folders, as DVC does; return {path in the cache: bytes}."""
    kept = {}
    for place in map(Path, paths):
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                cached = Path("cache", *path.parts).absolute()
                cached.parent.mkdir(parents=True, exist_ok=True)
                path.rename(cached)
                path.symlink_to(cached)
                kept[cached] = cached.read_bytes()
    assert kept
    return kept


def still_in_cache(kept):
    """Return whether all files that were linked to are there with the bytes that they had."""
    return {path: path.read_bytes() if path.exists() else None for path in kept} == kept


def make_workspace(folder, base, clip):
    """Write photos, captions, a params.yaml and a dvc.yaml that names the models."""
    write_photos(folder / "data/raw")
    (folder / "params.yaml").write_text(dumps_yaml(tiny_values(base, clip)))
    listed = "".join(f"  {stage}:\n    deps: ['{base}', '{clip}']\n" for stage in STAGES)
    (folder / "dvc.yaml").write_text("stages:\n" + listed)


@pytest.fixture(scope="session")
def workspace_after(tmp_path_factory, tiny_base, tiny_clip):
    """A function: the name of a stage, or None, to a workspace after it; what it printed is in shown.txt."""
    before = dict(zip(STAGES, [None, *STAGES], strict=False))

    def make(folder, stage):
        shutil.copytree(after(before[stage]), folder)
        if stage == "train":
            change(folder, "train", sample_every=2)
        with (
            chdir(folder),
            Path("shown.txt").open("w") as shown,
            redirect_stdout(shown),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(*FEWER_STEPS)
            STAGES[stage].main()

    def after(stage):
        if stage is None:
            return made_once(tmp_path_factory, "workspace", lambda folder: make_workspace(folder, tiny_base, tiny_clip))
        return made_once(tmp_path_factory, f"workspace-{stage}", lambda folder: make(folder, stage))

    return after


@pytest.fixture
def enter(workspace_after, tmp_path, monkeypatch):
    """A function: the name of a stage, or None, to a workspace after it of the test's own, the current folder."""

    def entered(stage):
        shutil.copytree(workspace_after(stage), tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    monkeypatch.delenv("GENTRA_CHECKPOINTS", raising=False)
    monkeypatch.setattr(*FEWER_STEPS)
    return entered


@pytest.fixture
def workspace(enter):
    """A workspace before any stage, the current folder during the test."""
    return enter(None)


@pytest.fixture
def cached(enter):
    """The workspace after prepare and cache_latents."""
    return enter("cache_latents")


@pytest.fixture
def trained(enter):
    """The workspace after `train`, with samples of every second step."""
    return enter("train")


@pytest.fixture
def evaluated(enter):
    """The workspace after all four stages."""
    return enter("evaluate")
