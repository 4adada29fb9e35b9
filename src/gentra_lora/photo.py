"""Photo files -> upright RGB, crops, pixel_values."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from gentra_lora.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class PhotoError(InputError):
    """A file is not a photo that can be used; the message names it and the way out."""


def photo_paths(folder):
    """Return the photos of a folder in name order.

    Raises:
        PhotoError: there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise PhotoError(f"{folder}: no such folder; put the photos there, or set prepare.raw_dir")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if not paths:
        raise PhotoError(f"{folder}: holds no photo; expected files ending in {', '.join(SUFFIXES)}")
    return paths


def sha256_of(path):
    """Return the sha256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_upright(path):
    """Return a photo as an RGB image, turned by its EXIF tag, transparency laid on white.

    Raises:
        PhotoError: the file cannot be decoded.
    """
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path}: cannot be opened as a photo ({error}); replace or remove it") from error
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        raise PhotoError(f"{path}: has 16 or more bits a channel; save it as 8-bit PNG or JPEG")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def shrink(image, shorter_side):
    """Return the image with its shorter side at most `shorter_side` px; never enlarged."""
    scale = shorter_side / min(image.size)
    if scale >= 1:
        return image
    return image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)


def crop_square(image, left, top, side, resolution):
    """Return the square of `side` px at (left, top), resampled to (resolution, resolution)."""
    box = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=box)


def centre_crop(image, resolution):
    """Return the largest centred square, resampled to (resolution, resolution)."""
    side = min(image.size)
    return crop_square(image, (image.width - side) / 2, (image.height - side) / 2, side, resolution)


def to_pixel_values(image):
    """Return an RGB image as float32 (1, 3, H, W) in [-1, 1]."""
    array = torch.from_numpy(np.array(image, dtype=np.float32))  # (H, W, 3)
    return (array / 127.5 - 1).permute(2, 0, 1)[None]
