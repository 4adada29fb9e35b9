"""A base as a diffusers folder: what each part's folder holds, looked at before anything is loaded."""

import re
from pathlib import Path
from typing import Any

from gentra_lora.base.files.headers import Shape, read_header, read_json, some
from gentra_lora.base.files.hub import PICKLES
from gentra_lora.base.source import BaseModelError

KINDS = {
    "unet": ("_class_name", ["UNet2DConditionModel"]),
    "vae": ("_class_name", ["AutoencoderKL"]),
    "text_encoder": ("model_type", ["clip_text_model", "clip"]),
}
VOCABULARY = "vocab.json", "merges.txt"  # or both in tokenizer.json
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


def part_config(key: str, folder: Path, part: str) -> dict[str, Any]:
    """Return the configuration in a part's folder.

    Raises:
        BaseModelError: it is missing, damaged, or another part's.
    """
    config = read_json(key, folder / "config.json")
    field, kinds = KINDS[part]
    if config.get(field, kinds[0]) not in kinds:
        raise BaseModelError(f"{key}: {folder} is a {config[field]}, not a {kinds[0]}; take another model")
    return config


def check_vocabulary(folder: Path) -> None:
    """Refuse a tokenizer's folder without its vocabulary, or with a damaged one."""
    if not folder.is_dir():
        raise BaseModelError(f"base.model: {folder} is missing; {AGAIN}")
    for path in sorted(folder.glob("*.json")):
        read_json("base.model", path)
    missing = [name for name in VOCABULARY if not (folder / name).exists()]
    if missing and not (folder / "tokenizer.json").exists():
        raise BaseModelError(f"base.model: {folder} lacks {' and '.join(missing)}; {AGAIN}")


def variant_in(key: str, folder: Path, stem: str) -> str | None:
    """Return the variant of a folder's weights, "fp16" for model.fp16.safetensors; None where there are plain ones.

    Raises:
        BaseModelError: no weights, or several variants and no plain ones.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    broken = [path for path in paths if not path.exists()]
    if broken:  # a snapshot of the hub's cache, copied without what its links lead to
        raise BaseModelError(f"{key}: {broken[0]} is a link to a file that is not there; copy it with `cp -rL`")
    names = [path.name for path in paths]
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
