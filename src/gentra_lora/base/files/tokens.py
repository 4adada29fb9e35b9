"""Whether tokenizer and text encoder can tell one prompt from another; and Stable Diffusion 1.x's own tokenizer."""

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerBase

from gentra_lora.base.files.headers import read_json
from gentra_lora.base.source import BaseModelError, guarded

PROMPTS = "a photo of a red car", "a drawing of two cats in the snow"
WORDS_TRIED = 50
WAY_OUT = "download the model again, all of its files"


def text_config(config: Mapping[str, Any]) -> CLIPTextConfig:
    """Return a text encoder's configuration, taken out of a whole CLIP's where it is one."""
    return CLIPTextConfig(**config.get("text_config", config))


def tokenizer_of_merges(folder: Path) -> CLIPTokenizer:
    """Return the CLIP tokenizer of a folder's merges.txt, from which its vocabulary follows."""
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    # A printable character for each byte, in CLIP's order; those that are none themselves come last.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(line.replace(" ", "") for line in lines)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    length = read_json("base.model", folder / "tokenizer_config.json")["model_max_length"]
    return CLIPTokenizer(
        vocab={word: n for n, word in enumerate(words)},
        merges=[tuple(line.split(" ")) for line in lines],  # type: ignore[misc]  # pairs are what it takes
        model_max_length=length,
    )


def check_tokenizer(key: str, name: str, tokenizer: PreTrainedTokenizerBase, vocab_size: int, length: int) -> None:
    """Refuse a tokenizer that is not whole, or not the text encoder's.

    Args:
        vocab_size, length: of the text encoder: how many tokens it knows, and how many a prompt has.

    Raises:
        BaseModelError: it has lost its vocabulary, its merges or its configuration.
    """
    if len(tokenizer) != vocab_size:
        raise BaseModelError(
            f"{key}: the tokenizer of {name} has {len(tokenizer):,} tokens, and its text encoder knows {vocab_size:,}; "
            + WAY_OUT
        )
    if tokenizer.model_max_length != length:
        raise BaseModelError(
            f"{key}: the tokenizer of {name} gives prompts of {tokenizer.model_max_length:,} tokens, and its text "
            f"encoder reads {length}; {WAY_OUT} (tokenizer_config.json)"
        )
    words = islice((w for w in tokenizer.get_vocab() if re.fullmatch("[a-z]{2,}</w>", w)), WORDS_TRIED)
    spelled = [len(tokenizer(word.removesuffix("</w>"), add_special_tokens=False).input_ids) == 1 for word in words]
    if spelled and not any(spelled):
        raise BaseModelError(f"{key}: the tokenizer of {name} spells words letter by letter; {WAY_OUT} (merges.txt)")


def check_tokens(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a tokenizer's folder that is not whole, or not of the text encoder with `config`."""
    tokenizer = guarded("base.model", str(folder), CLIPTokenizer.from_pretrained, folder)
    known = text_config(config)
    check_tokenizer("base.model", str(folder.parent), tokenizer, known.vocab_size, known.max_position_embeddings)


@torch.no_grad()
def check_reads(key: str, name: str, tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel) -> None:
    """Refuse a text encoder to which two prompts are the same.

    Raises:
        BaseModelError: they are.
    """
    ids = tokenizer(list(PROMPTS), padding="max_length", truncation=True, return_tensors="pt").input_ids
    one, other = text_encoder(ids.to(text_encoder.device)).last_hidden_state.float()
    if torch.equal(one, other) or not (one.isfinite().all() and other.isfinite().all()):
        raise BaseModelError(f"{key}: the text encoder of {name} does not tell two prompts apart; {WAY_OUT}")
