"""A base as a diffusers folder: what each part's folder holds, looked at before anything is loaded."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

from gentra_lora.base.files.headers import Shape, read_header, read_json, some
from gentra_lora.base.files.hub import PICKLES, STEMS
from gentra_lora.base.files.single_file import empty_model
from gentra_lora.base.files.tokens import check_tokenizer, text_config
from gentra_lora.base.files.wholeness import fault_of_names, shapes_of
from gentra_lora.base.source import BaseModelError, guarded

KINDS = {
    "unet": ("_class_name", ["UNet2DConditionModel"]),
    "vae": ("_class_name", ["AutoencoderKL"]),
    "text_encoder": ("model_type", ["clip_text_model", "clip"]),
}
OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
AGAIN = "download the model again, all of its files"


def check_index(folder: Path) -> None:
    """Refuse a folder that is no Stable Diffusion pipeline, by its model_index.json.

    Raises:
        BaseModelError: says what it is.
    """
    if not (folder / "model_index.json").exists():
        files = [path.name for path in folder.glob("*.safetensors")]
        way_out = f"name the file itself ({some(files)})" if files else "name a diffusers pipeline's folder"
        raise BaseModelError(f"base.model: {folder} holds no model_index.json; {way_out}")
    kind = read_json("base.model", folder / "model_index.json").get("_class_name", "pipeline of no name")
    if kind != "StableDiffusionPipeline":
        raise BaseModelError(f"base.model: {folder} is a {kind}; only Stable Diffusion 1.x pipelines can learn here")


def check_part(key: str, folder: Path, part: str) -> dict[str, Any]:
    """Return a part's configuration, once its weights are known to be whole and its own.

    Args:
        folder: the part's.

    Raises:
        BaseModelError: a file is missing, damaged, or another's.
    """
    config = read_json(key, folder / "config.json")
    field, kinds = KINDS[part]
    if config.get(field, kinds[0]) not in kinds:
        raise BaseModelError(f"{key}: {folder} is a {config[field]}, not a {kinds[0]}; take another model")
    shapes = weights_in(key, folder, STEMS[part])
    if shapes is not None:
        model = guarded(key, str(folder), empty_model, part, config)
        fault = fault_of_names(_own_names(shapes_of(model)), _own_names(shapes))
        if fault:
            raise BaseModelError(f"{key}: {folder} {fault}; {AGAIN}")
    return config


def check_tokens(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a tokenizer's folder that is not whole, or not of the text encoder with `config`."""
    if not folder.is_dir():
        raise BaseModelError(f"base.model: {folder} is missing; {AGAIN}")
    for path in folder.glob("*.json"):
        read_json("base.model", path)
    tokenizer = guarded("base.model", str(folder), CLIPTokenizer.from_pretrained, folder)
    known = text_config(config)
    check_tokenizer("base.model", str(folder.parent), tokenizer, known.vocab_size, known.max_position_embeddings)


def variant_in(key: str, folder: Path, stem: str) -> str | None:
    """Return the variant of a folder's weights, "fp16" for model.fp16.safetensors; None where there are plain ones.

    Raises:
        BaseModelError: no weights, or several variants and no plain ones.
    """
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    plain = {f"{stem}.safetensors", PICKLES[stem], f"{stem}.safetensors.index.json", f"{PICKLES[stem]}.index.json"}
    if plain.intersection(names):
        return None
    found = {match[1] for match in (re.fullmatch(rf"{stem}\.(\w+)\.safetensors", name) for name in names) if match}
    if len(found) > 1:
        raise BaseModelError(f"{key}: {folder} holds the variants {some(found)} and no plain weights; keep one of them")
    if not found:
        raise BaseModelError(f"{key}: {folder} holds no weights ({stem}.safetensors); {AGAIN}")
    return found.pop()


def weights_in(key: str, folder: Path, stem: str) -> dict[str, Shape] | None:
    """Return {name: shape} of a folder's weights, None where only pickles hold them.

    Raises:
        BaseModelError: no weights, or a file of them that is not whole.
    """
    variant = variant_in(key, folder, stem)
    whole = folder / (f"{stem}.{variant}.safetensors" if variant else f"{stem}.safetensors")
    index = folder / f"{stem}.safetensors.index.json"
    if whole.exists():
        return read_header(key, whole).shapes
    if not index.exists():
        return None
    shapes: dict[str, Shape] = {}
    for name in sorted(set(read_json(key, index).get("weight_map", {}).values())):
        if not (folder / name).exists():
            raise BaseModelError(f"{key}: {folder / name} is missing; {AGAIN}")
        shapes |= read_header(key, folder / name).shapes
    return shapes


def _own_names(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return shapes under the names of today: older files of attention and of text encoders have others."""
    renamed = {}
    for name, shape in shapes.items():
        if ".attentions." in name:
            for old, new in OLD_ATTENTION.items():
                name = name.replace(old, new)
        renamed[name.removeprefix("text_model.")] = shape
    return renamed
