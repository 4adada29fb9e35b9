"""A diffusers folder with one fault each, found by its names, its JSON and its headers."""

import json
import shutil

import pytest

from gentra_lora.base.files.pipeline_folder import check_index, check_vocabulary, part_config, variant_in, weights_in
from tests.base.damage import LFS, STEM, UNET, refusal, removed, text


def test_parts_give_their_configuration(base):
    check_index(base)
    for part in ("unet", "vae", "text_encoder"):
        assert part_config("base.model", base / part, part) == json.loads((base / part / "config.json").read_text())


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


def test_link_to_nothing_is_not_taken_for_weights(base):
    (base / UNET).unlink()
    (base / UNET).symlink_to("../../blobs/0123")
    assert f"{base / UNET} is a link to a file that is not there; copy it with `cp -rL`" in refusal(
        weights_in, "base.model", base / "unet", STEM
    )


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
        (removed("tokenizer/tokenizer.json"), "tokenizer lacks vocab.json and merges.txt; download the model again"),
        (text("tokenizer/tokenizer.json", LFS), "tokenizer.json is a pointer of Git LFS"),
        (text("tokenizer/tokenizer.json", '{"model": '), "tokenizer.json is no valid JSON"),
    ],
)
def test_tokenizer_without_its_vocabulary_is_refused(base, damage, says):
    damage(base)
    assert says in refusal(check_vocabulary, base / "tokenizer")


def test_vocabulary_may_be_in_two_files(base):
    (base / "tokenizer/tokenizer.json").unlink()
    (base / "tokenizer/vocab.json").write_text("{}")
    assert "tokenizer lacks merges.txt; download" in refusal(check_vocabulary, base / "tokenizer")
    (base / "tokenizer/merges.txt").touch()
    check_vocabulary(base / "tokenizer")
