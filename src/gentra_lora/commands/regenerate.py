"""`gentra-lora regenerate`: a picture made again from what its PNG says, by the same weights on the same base."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gentra_lora.base.checks import check_base
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.precision import choose_device, choose_precision
from gentra_lora.base.source import BaseModelError, BaseSource, base_identity
from gentra_lora.commands.pictures import check_output, make_pictures
from gentra_lora.errors import InputError
from gentra_lora.params import load_params
from gentra_lora.photos.crops import Size
from gentra_lora.photos.masks import open_mask
from gentra_lora.photos.photo import open_upright, sha256_of
from gentra_lora.pictures.masks import file_of, open_holes
from gentra_lora.pictures.record import PictureTextError, png_of, read_record, request_of
from gentra_lora.pictures.regions import edited
from gentra_lora.revisions.weights import pull_weights
from gentra_lora.service.jobs.revision import same_base

WEIGHTS_DIR = Path("weights")
Record = dict[str, Any]


def regenerate_command(file: Path, out: Path, adapter: Path, photo: Path | None, mask: Path | None, repo: str) -> None:
    """Make the picture again, write it with its record, and say whether it is the same."""
    record, pixels = read_picture(file)
    check_output(out)
    hush_libraries()
    source = recorded_base(file, record)
    precision = same_precision(file, record)
    request = request_of(record, same_photo(file, record, photo), same_mask(file, record, mask))
    check_size(file, pixels, request.picture_size)
    weights = same_adapter(file, record, adapter, repo)
    (picture,) = make_pictures(source, precision, weights, [request])
    out.write_bytes(png_of(picture, record | {"torch": str(torch.__version__)}))
    print(f"{out}: {comparison(pixels, picture, record['torch'])}")


def read_picture(path: Path) -> tuple[Record, np.ndarray]:
    """Return (record, pixels (H, W, 3), uint8) of a PNG of ours.

    Raises:
        PictureTextError: none of ours, or scaled or cropped since, which is found out later where a region of a photo
            was drawn.
    """
    record = read_record(path)
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    if record["mask_padding"] is None:
        check_size(path, pixels, (record["width"], record["height"]))
    return record, pixels


def check_size(path: Path, pixels: np.ndarray, made_at: Size) -> None:
    """Refuse a picture (H, W, 3) that has lost the size at which it was made.

    Raises:
        PictureTextError: it has.
    """
    height, width = pixels.shape[:2]
    if (width, height) != made_at:
        raise PictureTextError(
            f"{path}: is {width} x {height} px and was made at {made_at[0]} x {made_at[1]}; take the file as it was "
            f"made"
        )


def recorded_base(path: Path, record: Record) -> BaseSource:
    """Return params.yaml's base.

    Raises:
        BaseModelError: it cannot be one, or is not what made the picture.
    """
    source = BaseSource(**load_params().base.model_dump())
    check_base(source)
    identity = base_identity(source)
    if not same_base(identity, record["base"]):
        raise BaseModelError(
            f"base.model: is {identity}, and {path} was made on {record['base']}; set that base in params.yaml"
        )
    return source


def same_precision(path: Path, record: Record) -> str:
    """Return the record's precision.

    Raises:
        BaseModelError: this device cannot compute in it.
    """
    try:
        return choose_precision(record["precision"], choose_device())[0]
    except BaseModelError as error:
        reason = str(error).partition(";")[0].removeprefix("base.mixed_precision: ")
        words = f"{path}: was made in {record['precision']}, and {reason}; take a machine like the one that made it"
        raise BaseModelError(words) from error


def same_photo(path: Path, record: Record, photo: Path | None) -> Image.Image | None:
    """Return the photo that was redrawn, None for a picture of a prompt alone.

    Raises:
        InputError: not given, another one, or one too many.
    """
    wanted = record["photo_sha256"]
    if record["strength"] is None:
        if photo:
            raise InputError(f"--photo: {path} was made of its prompt alone; leave it out")
        return None
    if photo is None:
        raise InputError(f"{path}: redraws a photo; name its file (sha256 {wanted}) with --photo")
    image = open_upright(photo)
    if sha256_of(photo) != wanted:
        raise InputError(f"--photo: {photo} is not what {path} redraws; the file with sha256 {wanted} is")
    return image


def same_mask(path: Path, record: Record, mask: Path | None) -> Image.Image | None:
    """Return the mask that said what may change of the photo, None where there was none.

    Raises:
        InputError: not given, another one, or one too many.
    """
    wanted = record["mask_sha256"]
    if wanted is None:
        if mask:
            raise InputError(f"--mask: {path} was made without one; leave it out")
        return None
    if mask is None:
        raise InputError(f"{path}: redraws a part of a photo; name the mask (sha256 {wanted}) with --mask")
    image = open_mask(mask, str(mask))
    if sha256_of(mask) == wanted:
        return edited(image, record["mask_inverted"], record["mask_blur"])
    holes = open_holes(mask, str(mask))
    if hashlib.sha256(file_of(holes)).hexdigest() == wanted:  # the file of one of OpenAI's clients
        return holes
    raise InputError(f"--mask: {mask} is not what {path} was made with; the file with sha256 {wanted} is")


def same_adapter(path: Path, record: Record, adapter: Path, repo: str) -> Path:
    """Return a file with the very weights: `adapter`, or what is pulled at the record's commit.

    Raises:
        InputError: neither is to be had; says which weights are wanted.
    """
    wanted, commit = record["adapter_sha256"], record["commit"]
    if adapter.is_file() and sha256_of(adapter) == wanted:
        return adapter
    words = f"{path}: was made by the weights with sha256 {wanted}, commit {commit or 'unknown'}; {adapter} is not them"
    if commit is None:
        raise InputError(f"{words}: name their file with --adapter")
    folder = WEIGHTS_DIR / commit[:12]
    try:
        weights = pull_weights(repo, commit, folder)
    except InputError as error:
        raise InputError(f"{words}, and {error}") from error
    if weights.sha256 != wanted:
        raise InputError(f"{words}, nor are those of that commit in {repo} (sha256 {weights.sha256})")
    return folder / weights.file


def comparison(before: np.ndarray, after: np.ndarray, made_by: str) -> str:
    """Return in words how two pictures differ; `made_by` is the torch version of the first."""
    difference = np.abs(before.astype(int) - after).max()
    if difference == 0:
        return "the same picture"
    torches = "" if made_by == str(torch.__version__) else f" (torch {made_by} then, {torch.__version__} now)"
    reasons = "other hardware, another torch or other pictures drawn beside it"
    return f"differs by at most {difference} of 255 levels, as {reasons} explain{torches}"
