"""Colours of any picture -> sRGB with 8 bits a channel."""

import io

import numpy as np
from PIL import Image, ImageCms

from gentra_lora.errors import InputError, first_line

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class ColourError(InputError):
    """Colours that cannot be converted; the message goes on after the picture's name."""


def eight_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the image with at most 8 bits a channel and, of a 16-bit one with a transparent level, its alpha.

    Raises:
        ColourError: 32 bits a channel, whose range nothing tells.
    """
    if image.mode in ("I", "F"):
        raise ColourError("has 32 bits a channel; save it with 8 or 16")
    if not image.mode.startswith("I;16"):
        return image, None
    levels = np.asarray(image).astype(np.uint32)
    scaled = Image.fromarray(((levels + 128) // 257).astype(np.uint8))  # 65535 -> 255
    scaled.info["icc_profile"] = image.info.get("icc_profile")
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8))
    return scaled, alpha


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the image as RGB, its colours converted by the embedded profile; without one they are sRGB already.

    Raises:
        ColourError: the profile is damaged, or of another kind of colours than the image's.
    """
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    embedded = image.info.get("icc_profile")
    if not embedded:
        return image.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if image.mode == "L" and profile.profile.xcolor_space == "RGB ":
            image = image.convert("RGB")
        return ImageCms.profileToProfile(  # type: ignore[return-value]  # None with inPlace alone
            image,
            profile,
            SRGB,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ColourError(
            f"its embedded colour profile cannot be used ({first_line(error)}); save the photo as sRGB"
        ) from error
