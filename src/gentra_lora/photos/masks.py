"""Masks of photos: white where the subject is, black elsewhere, grey in between.

They lie in masks/ beside images/, each named as its photo, or are the photo's own transparency.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image

from gentra_lora.photos.crops import Box
from gentra_lora.photos.dataset import Prepared
from gentra_lora.photos.folder import duplicate_stems, files_in, normal, stem_of
from gentra_lora.photos.photo import PhotoError, Size, open_header, open_upright, sha256_of
from gentra_lora.photos.turns import SIDEWAYS, turn_of, upright

NAMED = 5  # photos without a mask, in a note


@dataclass
class Masks:
    """{photo name: sha256 of its mask in data/processed/masks}, and what a person should know."""

    digests: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def open_mask(source: Path | IO[bytes], name: str) -> Image.Image:
    """Return the mask in a file, mode L: its opacity where it has transparent parts, else its brightness.

    Args:
        name: what messages call it.

    Raises:
        PhotoError: see photo.open_photo.
    """
    image = open_upright(source, name)
    return opacity_of(source) or image.convert("L")


def opacity_of(source: Path | IO[bytes]) -> Image.Image | None:
    """Return the opacity of a picture that can be opened, mode L and upright; None where no part is transparent."""
    with open_header(source) as opened:
        if not opened.has_transparency_data:
            return None
        opacity = upright(opened, turn_of(opened)[0]).convert("RGBA").getchannel("A")
        return None if opacity.getextrema() == (255, 255) else opacity


def upright_size(path: Path) -> Size:
    """Return a photo's (width, height) as it is seen, from its header."""
    with open_header(path) as opened:
        width, height = opened.size
        return (height, width) if turn_of(opened)[0] in SIDEWAYS else (width, height)


def find_masks(folder: Path, photos: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """Return ({photo name: mask file}, problems) of a folder that may not be there; endings and case do not matter."""
    if not folder.is_dir():
        return {}, []
    files = {normal(path.relative_to(folder).as_posix()): path for path in files_in(folder)}
    by_stem = {_key(name): name for name in photos}
    found = {by_stem[_key(name)]: path for name, path in files.items() if _key(name) in by_stem}
    problems = [
        f"{path}: no photo is called so{_nearest(name, by_stem)}; rename or remove it"
        for name, path in files.items()
        if _key(name) not in by_stem
    ]
    return found, problems + [f"{folder}: {problem}" for problem in duplicate_stems(files)]


def prepare_masks(
    folder: Path, photos: Mapping[str, Path], prepared: Sequence[Prepared], alpha_as_mask: bool, out: Path
) -> Masks:
    """Write the masks of photos into `out`/masks, each of the size that its picture in `out`/images has.

    Args:
        folder: holds the mask files.
        alpha_as_mask: a photo without a mask file has its own opacity for one, where any part of it is transparent.
    """
    files, problems = find_masks(folder, photos)
    masks = Masks(problems=problems)
    for photo in prepared:
        try:
            mask = _mask_of(photos[photo.name], photo.name, files.get(photo.name), alpha_as_mask)
        except PhotoError as error:
            masks.problems.append(str(error))
            continue
        if mask:
            target = out / "masks" / photo.file_name
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(out / "images" / photo.file_name) as picture:
                mask.resize(picture.size, Image.Resampling.BOX).save(target)
            masks.digests[photo.name] = sha256_of(target)
    masks.notes = _notes(masks.digests, prepared)
    return masks


def _mask_of(photo: Path, name: str, file: Path | None, alpha_as_mask: bool) -> Image.Image | None:
    if not file:
        mask = opacity_of(photo) if alpha_as_mask else None
    else:
        mask, (width, height) = open_mask(file, str(file)), upright_size(photo)
        if mask.size != (width, height):
            turned = " (its EXIF tag turns it)" if mask.size == (height, width) else ""
            raise PhotoError(
                f"{file}: is {mask.width} x {mask.height} px, but {name} is seen at {width} x {height}{turned}; "
                "make the mask from the upright photo, at its full size"
            )
    if mask and mask.getextrema()[1] == 0:
        what = f"{file}: is black all over" if file else f"{name}: is transparent all over"
        raise PhotoError(f"{what}, so nothing would be the subject; paint the subject white, or remove it")
    return mask


def mask_crops(mask: Image.Image, boxes: Sequence[Box], size: Size) -> torch.Tensor:
    """Return the boxes of a mask, float32 (V, 1, h, w) in [0, 1]: each latent has the mean of the pixels it covers.

    Args:
        size: (w, h) of the latents.
    """
    crops = []
    for left, top, width, height in boxes:
        box = max(left, 0), max(top, 0), min(left + width, mask.width), min(top + height, mask.height)
        levels = mask.resize(size, Image.Resampling.BOX, box=box)
        crops.append(torch.from_numpy(np.array(levels, dtype=np.float32)) / 255)
    return torch.stack(crops)[:, None]


def _key(name: str) -> str:
    return normal(stem_of(name).casefold())


def _nearest(name: str, by_stem: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(_key(name), by_stem, n=1)
    return f" (did you mean the mask of {by_stem[near[0]]}?)" if near else ""


def _notes(digests: Mapping[str, str], prepared: Sequence[Prepared]) -> list[str]:
    without = [photo.name for photo in prepared if photo.name not in digests]
    if not digests or not without:
        return []
    names = ", ".join(without[:NAMED]) + (", ..." if len(without) > NAMED else "")
    return [f"{len(without)} of {len(prepared)} photos have no mask, and all of them is the subject: {names}"]
