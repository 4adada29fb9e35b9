"""A diffusers folder with one fault each, found by the headers."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from gentra_lora.base.files.pipeline_folder import check_index, check_part, check_tokens, variant_in, weights_in
from gentra_lora.base.source import BaseModelError
from tests.base.damage import (
    LFS,
    TEXT,
    UNET,
    VAE,
    as_fp16,
    as_pickles,
    configured,
    cut,
    larger,
    removed,
    renamed,
    rewritten,
    text,
    without,
)

STEM = "diffusion_pytorch_model"


@pytest.fixture
def base(tiny_base, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    return folder


def refusal(look, *args):
    with pytest.raises(BaseModelError) as caught:
        look(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_whole_parts_give_their_configuration(base):
    check_index(base)
    for part in ("unet", "vae", "text_encoder"):
        assert check_part("base.model", base / part, part) == json.loads((base / part / "config.json").read_text())


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


def test_variant_is_taken_where_there_are_no_plain_weights(base):
    assert variant_in("base.model", base / "unet", STEM) is None
    shutil.copy(base / UNET, base / "unet" / f"{STEM}.fp16.safetensors")
    assert variant_in("base.model", base / "unet", STEM) is None
    (base / UNET).unlink()
    assert variant_in("base.model", base / "unet", STEM) == "fp16"
    shutil.copy(base / "unet" / f"{STEM}.fp16.safetensors", base / "unet" / f"{STEM}.non_ema.safetensors")
    assert "holds the variants fp16, non_ema and no plain weights; keep one" in refusal(
        variant_in, "base.model", base / "unet", STEM
    )


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


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (LFS, "is a pointer of Git LFS"),
        ("", "is no valid JSON; download it again"),
        ('{"_class', "is no valid JSON; download it again"),
        ("[]", "holds no JSON object"),
        ("{}", "is a pipeline of no name; only Stable Diffusion"),
        ('{"_class_name": "StableDiffusionXLPipeline"}', "is a StableDiffusionXLPipeline; only Stable Diffusion"),
    ],
)
def test_index_that_is_no_stable_diffusions_is_refused(base, content, says):
    (base / "model_index.json").write_text(content)
    assert says in refusal(check_index, base)


def test_folder_without_an_index_is_refused_with_the_file_that_may_be_meant(tmp_path):
    assert "holds no model_index.json; name a diffusers pipeline's folder" in refusal(check_index, tmp_path)
    (tmp_path / "photoreal.safetensors").touch()
    assert "holds no model_index.json; name the file itself (photoreal.safetensors)" in refusal(check_index, tmp_path)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (removed("tokenizer"), "tokenizer is missing; download the model again"),
        (removed("tokenizer/tokenizer.json"), "has 2 tokens, and its text encoder knows 514"),
        (text("tokenizer/tokenizer.json", LFS), "tokenizer.json is a pointer of Git LFS"),
        (text("tokenizer/tokenizer.json", '{"model": '), "tokenizer.json is no valid JSON"),
        (text("tokenizer/tokenizer.json", "{}"), "cannot be loaded"),
    ],
)
def test_tokenizer_that_is_not_whole_is_refused(base, damage, says):
    damage(base)
    config = json.loads((base / "text_encoder/config.json").read_text())
    assert says in refusal(check_tokens, base / "tokenizer", config)
