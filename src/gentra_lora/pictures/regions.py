"""A region of a photo drawn at a size of its own and put back, and what its redrawn part begins as."""

import math

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from gentra_lora.photos.crops import Size

Region = tuple[int, int, int, int]  # (left, top, right, bottom) in px of a photo
FINER = (256, 128, 64, 32, 16, 8, 4, 2)  # px over which colours are averaged, one after the other


def edited(mask: Image.Image, inverted: bool, blur: float) -> Image.Image:
    """Return a mask inverted, then blurred by so many px."""
    mask = ImageOps.invert(mask) if inverted else mask
    return mask.filter(ImageFilter.GaussianBlur(blur)) if blur else mask


def region_of(mask: Image.Image, padding: int, size: Size) -> Region:
    """Return what lies around the white of a mask, widened to the shape of `size` as far as the photo goes.

    Args:
        mask: not black all over.
        padding: px on each side.
    """
    left, top, right, bottom = mask.getbbox() or (0, 0, *mask.size)
    left, top = max(left - padding, 0), max(top - padding, 0)
    right, bottom = min(right + padding, mask.width), min(bottom + padding, mask.height)
    across = _widened(left, right, (bottom - top) * size[0] // size[1], mask.width)
    down = _widened(top, bottom, (right - left) * size[1] // size[0], mask.height)
    return across[0], down[0], across[1], down[1]


def _widened(start: int, end: int, wanted: int, most: int) -> tuple[int, int]:
    wanted = min(max(wanted, end - start), most)
    start = min(max(start - (wanted - (end - start)) // 2, 0), most - wanted)
    return start, start + wanted


def framed(image: Image.Image, region: Region, size: Size, method: Image.Resampling) -> Image.Image:
    """Return a region at a size, whole and in its shape; its edges are drawn out where that leaves something over."""
    levels = np.array(ImageOps.contain(image.crop(region), size, method))
    spare = size[1] - levels.shape[0], size[0] - levels.shape[1]
    sides = [(over // 2, over - over // 2) for over in spare]
    return Image.fromarray(np.pad(levels, [*sides, (0, 0)][: levels.ndim], mode="edge"))


def put_back(picture: np.ndarray, photo: Image.Image, mask: Image.Image, region: Region) -> np.ndarray:
    """Return a photo (H, W, 3), uint8, with a picture of its region where the mask is white; see `framed`."""
    left, top, right, bottom = region
    part = ImageOps.fit(Image.fromarray(picture), (right - left, bottom - top), Image.Resampling.LANCZOS)
    whole = photo.copy()
    whole.paste(part, (left, top), mask.crop(region))
    return np.array(whole)


def filled(photo: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a photo whose white part has the colours around it, blurred: the farther from the edge, the more."""
    colours = torch.from_numpy(np.array(photo, np.float32)).permute(2, 0, 1)[None]  # (1, 3, H, W)
    kept = 1 - torch.from_numpy(np.array(mask, np.float32))[None, None] / 255
    weighted = torch.cat([colours * kept, kept], 1)
    mean = weighted.mean((2, 3), keepdim=True)
    found = mean[:, :3] / mean[:, 3:].clamp(min=1e-6)
    for px in FINER:
        coarse = adaptive_avg_pool2d(weighted, (math.ceil(photo.height / px), math.ceil(photo.width / px)))
        near = interpolate(coarse, colours.shape[2:], mode="bilinear")
        share = near[:, 3:]  # of what is kept
        found = found + (2 * share).clamp(max=1) * (near[:, :3] / share.clamp(min=1e-6) - found)
    levels = (colours * kept + found * (1 - kept))[0].permute(1, 2, 0)
    return Image.fromarray(levels.round().clamp(0, 255).to(torch.uint8).numpy())
