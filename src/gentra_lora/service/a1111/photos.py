"""The photo and the mask of A1111's img2img, as A1111 would cut, invert and blur them."""

from dataclasses import replace
from typing import Any

from PIL import Image

from gentra_lora.pictures.regions import edited
from gentra_lora.pictures.request import Size, size_of_photo
from gentra_lora.service.a1111.schemas import A1111ImageToImage
from gentra_lora.service.bodies.uploads import Upload, read_base64
from gentra_lora.service.jobs.resolve import refusal

CONTENTS = ("fill", "original", "noise", "nothing")  # by A1111's numbers


def photo_of(asked: A1111ImageToImage, max_pixels: int) -> tuple[Upload, list[str]]:
    """Return a request's photo with its mask, and what its client should know of it.

    Raises:
        ServiceError: 422, what cannot be done with a mask; see uploads.read_base64.
    """
    if not asked.mask:
        return stretched(read_base64(asked.init_images[0], max_pixels), asked)
    if asked.mask_round not in (None, True):
        raise refusal("mask_round", "is false; a latent is drawn or kept here: send true, or leave it out")
    inverted, blur = bool(asked.inpainting_mask_invert), blur_of(asked)
    photo = read_base64(asked.init_images[0], max_pixels, asked.mask)
    mask = photo.mask and edited(photo.mask, inverted, blur)
    photo = replace(photo, mask=mask, mask_inverted=inverted, mask_blur=blur)
    return (photo, []) if asked.inpaint_full_res else stretched(photo, asked)


def blur_of(asked: A1111ImageToImage) -> float:
    """Return by how many px a mask is blurred.

    Raises:
        ServiceError: 422, not the same on both sides.
    """
    if asked.mask_blur is not None:
        return asked.mask_blur
    sides = asked.mask_blur_x or 0, asked.mask_blur_y or 0
    if sides[0] != sides[1]:
        raise refusal("mask_blur_y", f"is {sides[1]:g} and mask_blur_x {sides[0]:g}; send both alike, or mask_blur")
    return sides[0]


def mask_values(asked: A1111ImageToImage) -> dict[str, Any]:
    """Return what a request says of its mask, in our words; what it says without one does not count."""
    if not asked.mask:
        return {}
    return {
        "mask_content": None if asked.inpainting_fill is None else CONTENTS[asked.inpainting_fill],
        "mask_padding": (asked.inpaint_full_res_padding or 0) if asked.inpaint_full_res else None,
    }


def stretched(photo: Upload, asked: A1111ImageToImage) -> tuple[Upload, list[str]]:
    """Return a photo at the size to which its client stretches it, and the warning; where it crops, the photo itself.

    A photo that has the shape of that size, but for the rounding to whole units, is left as it is.
    """
    size = _stretched_to(asked)
    if size is None or size_of_photo(photo.image.size, size[0] * size[1]) == size:
        return photo, []
    width, height = photo.image.size
    warning = f"the photo of {width} x {height} was stretched, and `regenerate` crops; resize_mode 1 crops, too"
    mask = photo.mask and photo.mask.resize(size, Image.Resampling.BOX)
    return replace(photo, image=photo.image.resize(size, Image.Resampling.LANCZOS), mask=mask), [warning]


def _stretched_to(asked: A1111ImageToImage) -> Size | None:
    return (asked.width, asked.height) if asked.width and asked.height and not asked.resize_mode else None
