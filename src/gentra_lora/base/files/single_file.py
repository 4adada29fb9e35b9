"""A base, or an autoencoder, as one .safetensors file in the original layout."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models import AutoencoderKL, UNet2DConditionModel
from safetensors import safe_open
from transformers import CLIPTextModel

from gentra_lora.base.files.configs import sd1_config
from gentra_lora.base.files.headers import Header, Shape, read_header
from gentra_lora.base.files.kind import vae_names
from gentra_lora.base.files.ldm_layout import PREFIXES, TEXT, original_name, with_text_model
from gentra_lora.base.files.tokens import text_config
from gentra_lora.base.files.wholeness import fault_of_names, shapes_of
from gentra_lora.base.source import BaseModelError, guarded

Model = UNet2DConditionModel | AutoencoderKL | CLIPTextModel


def empty_model(part: str, config: Mapping[str, Any]) -> Model:
    """Return a part with its weights on torch's meta device."""
    with init_empty_weights():
        if part == "text_encoder":
            return CLIPTextModel(text_config(config))
        return (UNet2DConditionModel if part == "unet" else AutoencoderKL).from_config(dict(config))


def check_single_file(model: str, separate_vae: bool) -> None:
    """Refuse a file that lacks some of a Stable Diffusion 1.x model, by its header.

    Args:
        separate_vae: whether base.vae stands in for the file's own.

    Raises:
        BaseModelError: says what it lacks.
    """
    header = read_header("base.model", Path(model))
    for part in ("unet", "text_encoder") if separate_vae else PREFIXES:
        names_of_part(model, header, part)


def load_part(model: str, part: str) -> Model:
    """Return the unet, vae or text_encoder of a file, in float32.

    Raises:
        BaseModelError: the file is not whole, or lacks some of it.
    """
    config, path = sd1_config(part), Path(model)
    names = names_of_part(model, read_header("base.model", path), part)
    return guarded("base.model", model, _filled, empty_model(part, config), path, names)


def names_of_part(model: str, header: Header, part: str) -> dict[str, str]:
    """Return {name of a part's weight: its name in the file}.

    Raises:
        BaseModelError: weights of the part are missing, too many, or of another shape.
    """
    config, prefix = sd1_config(part), TEXT if part == "text_encoder" else PREFIXES[part]
    shapes = shapes_of(empty_model(part, config))
    there = {with_text_model(name): name for name in header.shapes}
    if not any(name.startswith(prefix) for name in there):
        way_out = "name one in base.vae" if part == "vae" else "take a whole checkpoint"
        raise BaseModelError(f"base.model: {model} lacks the {part} ({prefix}*); {way_out}")
    ours = {name: original_name(part, name, config).removeprefix(prefix) for name in shapes}
    theirs = {name.removeprefix(prefix): there[name] for name in there if name.startswith(prefix)}
    return _matched(f"base.model: the {part} in {model}", header, shapes, ours, theirs)


def check_vae_file(path: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Return {name of a weight: its name in the file} of an autoencoder in a file of its own, in either layout.

    Args:
        config: of the base's own autoencoder; such a file has none.

    Raises:
        BaseModelError: it is something else, not whole, or not of the base's kind.
    """
    theirs, shapes = vae_names(path), shapes_of(empty_model("vae", config))
    diffusers = any(".down_blocks." in name for name in theirs)
    ours = {n: n if diffusers else original_name("vae", n, config).removeprefix(PREFIXES["vae"]) for n in shapes}
    return _matched(f"base.vae: {path}", read_header("base.vae", path), shapes, ours, theirs)


def load_vae_file(path: Path, config: Mapping[str, Any]) -> AutoencoderKL:
    """Return an autoencoder of a file of its own, in float32; see `check_vae_file`."""
    names = check_vae_file(path, config)
    vae = guarded("base.vae", str(path), _filled, empty_model("vae", config), path, names)
    assert isinstance(vae, AutoencoderKL)
    return vae


def _matched(
    what: str, header: Header, shapes: Mapping[str, Shape], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> dict[str, str]:
    """Return {name of a weight: its name in the file}.

    Args:
        ours: {name of a weight: what it is called in the file's layout, without a prefix}.
        theirs: {what a weight is called without a prefix: its name in the file}.
    """
    wanted = {ours[name]: _without_ones(shape) for name, shape in shapes.items()}
    found = {name: _without_ones(header.shapes[full]) for name, full in theirs.items()}
    fault = fault_of_names(wanted, found)
    if fault:
        raise BaseModelError(f"{what} {fault}; take a whole one of Stable Diffusion 1.x")
    return {name: theirs[called] for name, called in ours.items()}


def _without_ones(shape: Shape) -> Shape:
    """The original has 1 x 1 convolutions where diffusers has linear layers."""
    return shape[:2] if shape[2:] == (1, 1) else shape


def _filled(model: Model, path: Path, names: Mapping[str, str]) -> Model:
    """Return an empty model with the weights of a file."""
    shapes = shapes_of(model)
    with safe_open(path, "pt") as file:
        weights = {
            name: file.get_tensor(theirs).reshape(shapes[name]).to(torch.float32) for name, theirs in names.items()
        }
    model.load_state_dict(weights, assign=True)
    return model.eval()
