"""Copies of the tiny base with one fault each, and the one sentence that refuses them."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gentra_lora.base.source import BaseModelError, BaseSource

STEM = "diffusion_pytorch_model"
UNET, VAE = (f"{part}/{STEM}.safetensors" for part in ("unet", "vae"))
TEXT = "text_encoder/model.safetensors"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 335\n"


def refusal(look, *args):
    with pytest.raises(BaseModelError) as caught:
        look(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def damaged(tiny_base, tmp_path, damage):
    """Return the source of a copy of the tiny base after damage(folder)."""
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    damage(folder)
    return BaseSource(str(folder))


def rewritten(file, change):
    """Return the damage that puts change({name: weight}) in a file of weights."""

    def damage(folder):
        save_file(change(load_file(folder / file)), folder / file, metadata={"format": "pt"})

    return damage


def without(file, name):
    """Return the damage that takes one weight out."""
    return rewritten(file, lambda weights: {key: value for key, value in weights.items() if key != name})


def renamed(file, prefix):
    return rewritten(file, lambda weights: {prefix + key: value for key, value in weights.items()})


def filled(file, name, value):
    def change(weights):
        return {key: torch.full_like(tensor, value) if key == name else tensor for key, tensor in weights.items()}

    return rewritten(file, change)


def larger(file, name):
    """Return the damage that gives one weight another shape."""

    def change(weights):
        return weights | {name: torch.ones([side + 1 for side in weights[name].shape])}

    return rewritten(file, change)


def text(file, words):
    return lambda folder: (folder / file).write_text(words)


def cut(file, by):
    """Return the damage that takes the last `by` bytes."""

    def damage(folder):
        with (folder / file).open("r+b") as opened:
            opened.truncate((folder / file).stat().st_size - by)

    return damage


def configured(file, **values):
    """Return the damage that sets values in a JSON file."""

    def damage(folder):
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return damage


def removed(*places):
    def damage(folder):
        for place in places:
            for path in folder.glob(place):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def as_fp16(folder):
    """Keep the weights of all parts only as *.fp16.safetensors, in half precision."""
    for file in (UNET, VAE, TEXT):
        weights = {key: value.half() for key, value in load_file(folder / file).items()}
        save_file(weights, folder / file.replace(".safetensors", ".fp16.safetensors"), metadata={"format": "pt"})
        Path(folder / file).unlink()


def as_pickles(folder):
    """Keep the weights of all parts only as torch.save wrote them."""
    for file in (UNET, VAE, TEXT):
        path = folder / file
        name = "pytorch_model.bin" if file == TEXT else "diffusion_pytorch_model.bin"
        torch.save(load_file(path), path.with_name(name))
        path.unlink()
