"""The photo and the mask of A1111's img2img, as A1111 would cut, invert and blur them."""

from dataclasses import replace

from PIL import Image, ImageFilter, ImageOps

from gentra_lora.pictures.request import Size, size_of_photo
from gentra_lora.service.a1111.schemas import A1111ImageToImage
from gentra_lora.service.bodies.uploads import Upload, read_base64, with_mask
from gentra_lora.service.jobs.resolve import refusal

# What A1111 can do with a mask besides, and the values at which it does what this service does; null is one of them.
WITH_A_MASK: dict[str, tuple[bool | int, str]] = {
    "inpainting_fill": (1, "the photo itself is redrawn"),
    "inpaint_full_res": (False, "the whole photo is drawn at its size"),
    "mask_round": (True, "a latent is drawn or kept"),
}


def photo_of(asked: A1111ImageToImage, max_pixels: int) -> tuple[Upload, list[str]]:
    """Return a request's photo with its mask, and what its client should know of it.

    Raises:
        ServiceError: 422, what cannot be done with a mask; see uploads.read_base64.
    """
    if not asked.mask:
        photo = read_base64(asked.init_images[0], max_pixels)
    else:
        check_mask(asked)
        photo = softened(read_base64(asked.init_images[0], max_pixels, asked.mask), asked)
    return stretched(photo, asked)


def check_mask(asked: A1111ImageToImage) -> None:
    """Refuse what cannot be done with a mask; the message says what A1111's clients must send, since they send other.

    Raises:
        ServiceError: 422.
    """
    for field, (value, _) in WITH_A_MASK.items():
        given = getattr(asked, field)
        if given is not None and given != value:
            all_of = ", ".join(f"{name} {_json(works)} ({why})" for name, (works, why) in WITH_A_MASK.items())
            raise refusal(field, f"is {_json(given)}; with a mask this service takes {all_of}")


def _json(value: bool | int) -> str:
    return str(value).lower()


def softened(photo: Upload, asked: A1111ImageToImage) -> Upload:
    """Return a photo whose mask is inverted and blurred as asked, as A1111 does: at the photo's size."""
    mask = photo.mask
    blur = [side or 0 for side in (asked.mask_blur_x, asked.mask_blur_y)]
    blur = blur if asked.mask_blur is None else [asked.mask_blur] * 2
    if mask is None or not (asked.inpainting_mask_invert or any(blur)):
        return photo
    if asked.inpainting_mask_invert:
        mask = ImageOps.invert(mask)
    if any(blur):
        mask = mask.filter(ImageFilter.GaussianBlur(blur))
    return with_mask(photo, mask)


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
