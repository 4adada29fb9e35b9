"""`make smoke-sd15`: a base of Stable Diffusion 1.5's real shape, random weights, through all four stages.

About ten minutes on two cores, 12 GB of memory and 7 GB of disk; not part of `make test`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from dvc.utils.serialize import dumps_yaml
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from gentra_lora.adapter.file import module_names, read_adapter
from gentra_lora.base.files.configs import sd1_path
from gentra_lora.base.files.tokens import tokenizer_of_merges
from gentra_lora.params import parse_params
from tests.conftest import ROOT, write_photos
from tests.ldm_layout import ldm_state_dict

COMMIT = "b" * 40
STAGES = ("prepare", "cache_latents", "train", "evaluate")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The base as a diffusers folder in float16, as most are shared."""
    torch.manual_seed(0)
    text_config = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_attention_heads=12, projection_dim=768, eos_token_id=49407
    )
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512, **blocks)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text_config),
        tokenizer=tokenizer_of_merges(sd1_path("tokenizer")),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    assert sum(parameter.numel() for parameter in pipeline.unet.parameters()) == 859_520_964
    path = tmp_path_factory.mktemp("sd15") / "base"
    pipeline.to(dtype=torch.float16).save_pretrained(path)
    return path


def as_folder(folder, place):
    return {"model": str(folder)}, {}


def as_single_file(folder, place):
    """One file in the original layout, and an empty hub cache."""
    save_file(ldm_state_dict(folder), place / "base.safetensors", metadata={"format": "pt"})
    return {"model": str(place / "base.safetensors")}, {"HF_HUB_CACHE": str(place / "hub")}


def as_pinned_id(folder, place):
    """An id and its revision, in a hub cache."""
    snapshots = place / "hub/models--someone--photoreal/snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / COMMIT).symlink_to(folder)
    return {"model": "someone/photoreal", "revision": COMMIT}, {"HF_HUB_CACHE": str(place / "hub")}


def params_for(base, clip):
    """Return the T4 profile's values with what makes it small."""
    values = parse_params((ROOT / "profiles/sd15_t4.yaml").read_text(encoding="utf-8"), "profiles/sd15_t4.yaml")
    values["base"] |= {"revision": None, "vae": None, "vae_revision": None} | base
    values["prepare"] |= {"resolution": 64, "trigger_word": "gentra", "held_out_share": 0.3}
    values["cache_latents"]["crop_variants"] = 2
    values["train"] |= {"steps": 2, "lr_warmup_steps": 0, "batch_size": 1, "held_out_every": 2, "checkpoint_every": 2}
    values["train"] |= {"sample_prompts": ["a gentra"], "sample_every": 2}
    models = {f"{kind}_{key}": value for kind in ("likeness", "prompt") for key, value in clip.items()}
    values["evaluate"] |= models | {"prompts": ["gentra, snow"], "drift_prompts": ["a van"], "seeds": [1, 2]}
    values["evaluate"] |= {"num_inference_steps": 1, "img2img_strengths": [0.5]}
    return values


@pytest.mark.parametrize("form", [as_folder, as_single_file, as_pinned_id])
def test_base_of_sd15s_shape_goes_through_all_four_stages(folder, tiny_clip, tmp_path, form):
    base, environment = form(folder, tmp_path)
    values = params_for(base, {"model": str(tiny_clip), "revision": None})
    write_photos(tmp_path / "data/raw", 4)
    (tmp_path / "params.yaml").write_text(dumps_yaml(values))
    deps = [path for path in (base["model"], str(tiny_clip)) if Path(path).exists()]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {stage: {"deps": deps} for stage in STAGES}}))
    for stage in STAGES:
        command = [sys.executable, "-m", f"gentra_lora.stages.{stage}"]
        values = os.environ | environment | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(os.cpu_count())}
        done = subprocess.run(command, cwd=tmp_path, env=values, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout, end="")
    tensors, metadata = read_adapter(tmp_path / "models/sport_gentra_lora.safetensors")
    assert len(module_names(tensors)) == 16 * 12
    assert metadata["gentra.steps"] == "2"
    metrics = json.loads((tmp_path / "reports/metrics.json").read_text())
    assert metrics["val_loss"] != metrics["val_loss_base"]
    shutil.rmtree(tmp_path)
