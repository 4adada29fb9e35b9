"""What part of a photo is seen, and at what size: buckets, crop boxes, resampling."""

import math
import random

from PIL import Image

BUCKET_STEP = 64  # px, what a UNet with three halvings of 8 x smaller latents needs
Size = tuple[int, int]  # (width, height) in px
Box = tuple[float, float, float, float]  # (left, top, width, height) in px


def size_of(photo_size: Size, resolution: int, aspect: str) -> Size:
    """Return the size at which a photo is trained.

    Args:
        aspect: "square" for resolution x resolution, "buckets" for the bucket whose shape is nearest.
    """
    if aspect == "square":
        return resolution, resolution
    shape = math.log(photo_size[0] / photo_size[1])
    return min(buckets(resolution), key=lambda size: abs(math.log(size[0] / size[1]) - shape))


def buckets(resolution: int) -> list[Size]:
    """Return all sizes: multiples of BUCKET_STEP, at most resolution^2 in area, sides half to double.

    Neither side could be longer: a smaller picture of much the same shape would be a waste.
    """
    sides = range(BUCKET_STEP, 2 * resolution + 1, BUCKET_STEP)
    longest = {side: min(resolution**2 // side, 2 * resolution) // BUCKET_STEP * BUCKET_STEP for side in sides}
    return [(w, h) for w, h in longest.items() if min(w, h) >= resolution / 2 and longest[h] == w]


def enlargement(photo_size: Size, size: Size) -> float:
    """Return by how much a photo must be enlarged to fill `size`; under 1 where it is larger."""
    return max(size[0] / photo_size[0], size[1] / photo_size[1])


def shrink(image: Image.Image, size: Size, headroom: float) -> Image.Image:
    """Return the image scaled down to fill `headroom` times `size`; never enlarged."""
    scale = enlargement(image.size, size) * headroom
    if scale >= 1:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def crop_boxes(sha256: str, photo_size: Size, size: Size, variants: int, min_scale: float) -> list[Box]:
    """Return `variants` boxes of the shape of `size`, within a photo.

    The first is the largest centred one; the others have min_scale to 1 of its sides, but never less than `size`,
    below which they would be enlarged; they lie anywhere.
    """
    width, height = photo_size
    largest = 1 / enlargement(photo_size, size)  # of a box's sides, as a multiple of `size`
    boxes = [_centred(photo_size, size, largest)]
    # Seeded by the photo's content: adding one photo must not change the crops of the others.
    rng = random.Random(sha256)
    for _ in range(variants - 1):
        scale = max(largest * rng.uniform(min_scale, 1), min(1, largest))
        box_width, box_height = size[0] * scale, size[1] * scale
        left, top = rng.uniform(0, width - box_width), rng.uniform(0, height - box_height)
        boxes.append((left, top, box_width, box_height))
    return boxes


def _centred(photo_size: Size, size: Size, scale: float) -> Box:
    width, height = size[0] * scale, size[1] * scale
    return (photo_size[0] - width) / 2, (photo_size[1] - height) / 2, width, height


def crop(image: Image.Image, box: Box, size: Size) -> Image.Image:
    """Return the box of an image, resampled to `size`."""
    left, top, width, height = box
    right, bottom = min(left + width, image.width), min(top + height, image.height)
    return image.resize(size, Image.Resampling.LANCZOS, box=(max(left, 0), max(top, 0), right, bottom))


def centre_crop(image: Image.Image, resolution: int) -> Image.Image:
    """Return the largest centred square, resampled to (resolution, resolution)."""
    size = (resolution, resolution)
    return crop(image, _centred(image.size, size, 1 / enlargement(image.size, size)), size)
