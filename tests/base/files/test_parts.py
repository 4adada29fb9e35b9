"""A part of a diffusers folder with one fault each, found by the headers."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from gentra_lora.base.files.parts import check_part
from gentra_lora.base.files.pipeline_folder import weights_in
from tests.base.damage import (
    LFS,
    STEM,
    TEXT,
    UNET,
    VAE,
    as_fp16,
    as_pickles,
    configured,
    cut,
    larger,
    refusal,
    removed,
    renamed,
    rewritten,
    text,
    without,
)


def test_whole_parts_are_accepted(base):
    for part in ("unet", "vae", "text_encoder"):
        check_part("base.model", base / part, part)


@pytest.mark.parametrize(
    ("damage", "part", "says"),
    [
        (without(UNET, "conv_in.weight"), "unet", "lacks 1 of its weights (conv_in.weight); download the model again"),
        (without(VAE, "encoder.conv_in.bias"), "vae", "lacks 1 of its weights (encoder.conv_in.bias)"),
        (without(TEXT, "final_layer_norm.bias"), "text_encoder", "lacks 1 of its weights (final_layer_norm.bias)"),
        (renamed(TEXT, "transformer."), "text_encoder", "lacks 20 of its weights"),
        (rewritten(UNET, lambda w: w | {"motion.x": torch.ones(2)}), "unet", "does not have (motion.x)"),
        (larger(UNET, "conv_in.bias"), "unet", "another shape (conv_in.bias is [17], not [16])"),
        (configured("text_encoder/config.json", vocab_size=600), "text_encoder", "is [514, 32], not [600, 32]"),
        (cut(UNET, 4), "unet", "is cut"),
        (text(VAE, ""), "vae", "is empty; download it again"),
        (text(TEXT, LFS), "text_encoder", "is a pointer of Git LFS"),
        (text("unet/config.json", LFS), "unet", "config.json is a pointer of Git LFS"),
        (text("vae/config.json", "{"), "vae", "config.json is no valid JSON"),
        (removed("unet"), "unet", "config.json is missing; download the model again"),
        (removed(UNET), "unet", "holds no weights (diffusion_pytorch_model.safetensors)"),
        (configured("unet/config.json", _class_name="UNet2DModel"), "unet", "is a UNet2DModel, not a UNet2DCond"),
        (configured("text_encoder/config.json", model_type="t5"), "text_encoder", "is a t5, not a clip_text_model"),
        (configured("unet/config.json", block_out_channels=[1, 2, 3]), "unet", "cannot be loaded: "),
    ],
)
def test_part_that_is_not_whole_is_refused_by_its_header(base, damage, part, says):
    damage(base)
    words = refusal(check_part, "base.model", base / part, part)
    assert words.startswith("base.model: ") and str(base / part) in words and says in words


def test_older_names_are_todays(base):
    attention = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def older(weights):
        for new, old in attention.items():
            weights = {name.replace(f".{new}.", f".{old}."): weight for name, weight in weights.items()}
        return weights

    rewritten(VAE, older)(base)
    assert any(".proj_attn." in name for name in load_file(base / VAE))
    check_part("base.model", base / "vae", "vae")
    renamed(TEXT, "text_model.")(base)
    rewritten(TEXT, lambda w: w | {"text_model.embeddings.position_ids": torch.arange(40)[None]})(base)
    check_part("base.model", base / "text_encoder", "text_encoder")


def test_text_encoder_may_be_a_whole_clip(base, tiny_clip):
    shutil.copy(tiny_clip / "model.safetensors", base / "text_encoder")
    shutil.copy(tiny_clip / "config.json", base / "text_encoder")
    check_part("base.model", base / "text_encoder", "text_encoder")


def test_variants_headers_are_looked_into_too(base):
    as_fp16(base)
    for part in ("unet", "vae", "text_encoder"):
        check_part("base.model", base / part, part)
    cut("unet/diffusion_pytorch_model.fp16.safetensors", 4)(base)
    assert "fp16.safetensors is cut" in refusal(check_part, "base.model", base / "unet", "unet")


def test_pickles_have_no_header(base):
    as_pickles(base)
    assert weights_in("base.model", base / "unet", STEM) is None
    check_part("base.model", base / "unet", "unet")


def test_shards_are_looked_into_each(base):
    weights = load_file(base / UNET)
    (base / UNET).unlink()
    first = {name: weight for name, weight in weights.items() if name.startswith("conv")}
    shards = {f"{STEM}-1.safetensors": first, f"{STEM}-2.safetensors": {n: weights[n] for n in weights.keys() - first}}
    for name, part in shards.items():
        save_file(part, base / "unet" / name)
    index = {"weight_map": {name: shard for shard, part in shards.items() for name in part}}
    (base / "unet" / f"{STEM}.safetensors.index.json").write_text(json.dumps(index))
    check_part("base.model", base / "unet", "unet")
    (base / "unet" / f"{STEM}-2.safetensors").unlink()
    assert "-2.safetensors is missing" in refusal(check_part, "base.model", base / "unet", "unet")
