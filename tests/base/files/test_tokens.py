"""Tokenizers as partial downloads leave them, and Stable Diffusion 1.x's own from its byte pairs."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gentra_lora.base.files import tokens
from gentra_lora.base.files.configs import sd1_path
from gentra_lora.base.files.tokens import check_reads, check_tokenizer, check_tokens, tokenizer_of_merges
from gentra_lora.base.source import BaseModelError
from tests.base.damage import damaged, removed, text

SIZE, LENGTH = 49408, 77  # of Stable Diffusion 1.x's text encoder


@pytest.fixture(scope="module")
def sd1_tokenizer():
    return tokenizer_of_merges(sd1_path("tokenizer"))


@pytest.fixture
def hub_folder(sd1_tokenizer, tmp_path):
    """The tokenizer as hubs have it: vocab.json, merges.txt and tokenizer_config.json."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(sd1_tokenizer.get_vocab()))
    shutil.copy(sd1_path("tokenizer/merges.txt"), folder)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"model_max_length": LENGTH, "pad_token": "<|endoftext|>"})
    )
    return folder


def checked(folder):
    check_tokenizer("base.model", "mine", CLIPTokenizer.from_pretrained(folder), SIZE, LENGTH)


def test_byte_pairs_give_clips_ids(sd1_tokenizer):
    assert sd1_tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert sd1_tokenizer("A  Photo of a CAT").input_ids == sd1_tokenizer("a photo of a cat").input_ids
    padded = sd1_tokenizer("a", padding="max_length").input_ids
    assert padded == [49406, 320, *[49407] * 75]
    check_tokenizer("base.model", "mine", sd1_tokenizer, SIZE, LENGTH)


def test_byte_pairs_spell_as_the_hubs_files_do(sd1_tokenizer, hub_folder):
    checked(hub_folder)
    hub = CLIPTokenizer.from_pretrained(hub_folder)
    for prompt in ("a sport gentra, snow", "машина 🚗 on 3.14 roads", "don't", "日本語の車"):
        assert sd1_tokenizer(prompt).input_ids == hub(prompt).input_ids


def test_tokenizer_without_its_vocabulary_is_refused(hub_folder):
    for name in ("vocab.json", "merges.txt"):
        (hub_folder / name).unlink()
    with pytest.raises(
        BaseModelError, match=r"^base\.model: the tokenizer of mine has 2 tokens, .* knows 49,408; down"
    ):
        checked(hub_folder)


def test_tokenizer_without_its_merges_is_refused(hub_folder):
    (hub_folder / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(BaseModelError, match=r"mine spells words letter by letter; download .* \(merges\.txt\)$"):
        checked(hub_folder)


def test_tokenizer_without_its_configuration_is_refused(hub_folder):
    (hub_folder / "tokenizer_config.json").unlink()
    with pytest.raises(
        BaseModelError, match=r"prompts of [\d,]+ tokens, and its text encoder reads 77; .*_config\.json"
    ):
        checked(hub_folder)


@pytest.fixture
def text_encoder(text_config):
    torch.manual_seed(0)
    return CLIPTextModel(text_config).eval()


def test_two_prompts_are_told_apart(tokenizer, text_encoder):
    check_reads("base.model", "mine", tokenizer, text_encoder)


def test_text_encoder_that_makes_one_of_two_prompts_is_refused(tokenizer, text_encoder):
    torch.nn.init.zeros_(text_encoder.embeddings.token_embedding.weight)
    with pytest.raises(BaseModelError, match=r"^base\.model: the text encoder of mine does not tell two prompts apart"):
        check_reads("base.model", "mine", tokenizer, text_encoder)


def test_text_encoder_of_no_numbers_is_refused(tokenizer, text_encoder):
    torch.nn.init.constant_(text_encoder.final_layer_norm.bias, float("nan"))
    with pytest.raises(BaseModelError, match="does not tell two prompts apart"):
        check_reads("base.model", "mine", tokenizer, text_encoder)


def test_text_encoder_may_be_half_of_a_whole_clip():
    assert tokens.text_config({"model_type": "clip", "text_config": {"hidden_size": 64}}).hidden_size == 64
    assert tokens.text_config(CLIPTextConfig(hidden_size=32).to_dict()).hidden_size == 32


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (removed("tokenizer/tokenizer.json"), "has 2 tokens, and its text encoder knows 514"),
        (text("tokenizer/tokenizer.json", "{}"), "cannot be loaded"),
    ],
)
def test_tokenizers_folder_that_is_not_whole_is_refused(tiny_base, tmp_path, damage, says):
    folder = Path(damaged(tiny_base, tmp_path, damage).model)
    with pytest.raises(BaseModelError, match=says):
        check_tokens(folder / "tokenizer", json.loads((folder / "text_encoder/config.json").read_text()))
