"""What a PNG says of how it was made: our record, and the text that other programs read."""

import json
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from gentra_lora.base.precision import DTYPES
from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.errors import InputError, first_line
from gentra_lora.pictures.limits import (
    LEAST_SEED,
    MASK_CONTENTS,
    MOST_BLUR,
    MOST_PADDING,
    MOST_SEED,
    SCHEDULE_STEPS,
)
from gentra_lora.pictures.request import PictureRequest
from gentra_lora.whole_file import json_text

RECORD, PARAMETERS = "gentra", "parameters"  # the PNG's text chunks; the second is A1111's
FIELDS: dict[str, type | UnionType] = {
    "prompt": str,
    "negative_prompt": str,
    "seed": int,
    "num_inference_steps": int,
    "width": int,
    "height": int,
    "guidance_scale": float | int,
    "lora_scale": float | int,
    "sampler": str,
    "strength": float | int | None,
    "photo_sha256": str | None,
    "mask_sha256": str | None,
    "mask_inverted": bool,
    "mask_blur": float | int,
    "mask_content": str,
    "mask_padding": int | None,
}
LIMITS = {
    "seed": (LEAST_SEED, MOST_SEED),
    "num_inference_steps": (1, SCHEDULE_STEPS),
    "mask_blur": (0, MOST_BLUR),
    "mask_padding": (0, MOST_PADDING),
}
ORIGIN: dict[str, type | UnionType] = {
    "base": str,
    "adapter": str,
    "adapter_sha256": str,
    "adapter_model_hash": str,  # without the file's header, see adapter/hashes.py
    "commit": str | None,
    "precision": str,
    "torch": str,
}


CONTENTS = {"original": None, "fill": "fill", "noise": "latent noise", "nothing": "latent nothing"}
LINE_BELOW = "Negative prompt:|Steps:"  # starts what follows the prompt in A1111's text
# What older pictures do not say, and what it was.
SINCE = {
    "adapter": "sport_gentra_lora",
    "adapter_model_hash": "",
    "mask_sha256": None,
    "mask_inverted": False,
    "mask_blur": 0.0,
    "mask_content": "original",
    "mask_padding": None,
}


class PictureTextError(InputError):
    """A picture that does not say how it was made."""


def record_of(request: PictureRequest, origin: dict[str, Any]) -> dict[str, Any]:
    """Return everything that is needed to make a picture again, as JSON values.

    Args:
        origin: what made it: the values of ORIGIN but torch.
    """
    return {name: getattr(request, name) for name in FIELDS} | origin | {"torch": str(torch.__version__)}


def request_of(
    record: Mapping[str, Any], photo: Image.Image | None = None, mask: Image.Image | None = None
) -> PictureRequest:
    """Return the PictureRequest of a record, with the RGB image that it started from and its mask."""
    whole = {**SINCE, **record}
    return PictureRequest(**{name: whole[name] for name in FIELDS}, photo=photo, mask=mask)


def parameters_text(record: Mapping[str, Any]) -> str:
    """Return the text that A1111, Forge, ComfyUI's loaders and picture galleries read.

    Their brackets stress words, so they are escaped; no line of the prompt may start as the lines below it do.
    """
    sampler, tag = SAMPLERS[record["sampler"]], f"<lora:{record['adapter']}:{record['lora_scale']:g}>"
    prompt, negative_prompt = (_escaped(record[name]) for name in ("prompt", "negative_prompt"))
    lines = [f"{tag} {prompt}" if re.match(LINE_BELOW, prompt) else f"{prompt} {tag}"]
    if negative_prompt:
        lines.append(f"Negative prompt: {negative_prompt}")
    values = {
        "Steps": record["num_inference_steps"],
        "Sampler": sampler.title,
        "Schedule type": sampler.schedule,
        "CFG scale": f"{record['guidance_scale']:g}",
        "Seed": record["seed"],
        "Size": f"{record['width']}x{record['height']}",
        "Model": record["base"].split("@")[0].split("/")[-1].replace(",", " "),
        "Denoising strength": record["strength"],
        **(_mask_values(record) if record["mask_sha256"] else {}),
        "Lora hashes": f'"{record["adapter"]}: {record["adapter_model_hash"][:12]}"',
    }
    return "\n".join([*lines, ", ".join(f"{key}: {value}" for key, value in values.items() if value is not None)])


def _mask_values(record: Mapping[str, Any]) -> dict[str, object]:
    """Return what was done with a mask, in A1111's words."""
    region = record["mask_padding"] is not None
    return {
        "Mask blur": f"{record['mask_blur']:g}" if record["mask_blur"] else None,
        "Mask mode": "Inpaint not masked" if record["mask_inverted"] else None,
        "Masked content": CONTENTS[record["mask_content"]],
        "Inpaint area": "Only masked" if region else None,
        "Masked area padding": record["mask_padding"],
    }


def _escaped(prompt: str) -> str:
    joined = re.sub(rf"\s*[\r\n]\s*(?={LINE_BELOW})", " ", prompt.strip())
    return re.sub(r"([\\()\[\]])", r"\\\1", joined)


def png_of(picture: np.ndarray, record: Mapping[str, Any]) -> bytes:
    """Return the bytes of a PNG of a picture (H, W, 3), uint8, with its record and parameters inside."""
    text = PngImagePlugin.PngInfo()
    text.add_text(PARAMETERS, parameters_text(record))
    text.add_itxt(RECORD, json_text(record, RECORD))
    with BytesIO() as buffer:
        Image.fromarray(picture).save(buffer, "PNG", pnginfo=text)
        return buffer.getvalue()


def read_record(path: Path) -> dict[str, Any]:
    """Return the record inside a PNG.

    Raises:
        PictureTextError: no picture, none of ours, one whose text a program has stripped, or a text that cannot be
            ours.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            text = picture.text.get(RECORD)  # type: ignore[attr-defined]  # a PngImageFile has it
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureTextError(f"{path}: cannot be read as a PNG ({first_line(error)})") from error
    if text is None:
        raise PictureTextError(f"{path}: does not say how it was made; programs that save a PNG anew drop that text")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PictureTextError(f"{path}: its text is no JSON ({first_line(error)}); it was changed") from error
    record = SINCE | record if isinstance(record, dict) else record
    problem = _problem(record)
    if problem:
        raise PictureTextError(f"{path}: its text {problem}; it was changed, or made by another version")
    return record


def _problem(record: Any) -> str | None:
    """Return why a record is none of ours, or None."""
    if not isinstance(record, dict):
        return "is no record"
    for name, kind in (FIELDS | ORIGIN).items():
        if name not in record:
            return f"lacks {name}"
        if not isinstance(record[name], kind):
            return f"has {name} {record[name]!r}"
    for name, (least, most) in LIMITS.items():
        if record[name] is not None and not least <= record[name] <= most:
            return f"has {name} {record[name]}"
    for name, known in (("sampler", SAMPLERS), ("precision", DTYPES), ("mask_content", MASK_CONTENTS)):
        if record[name] not in known:
            return f"has {name} {record[name]!r}"
    if record["commit"] and not re.fullmatch("[0-9a-f]{40}", record["commit"]):  # it becomes a path and git's argument
        return f"has commit {record['commit']!r}"
    return None
