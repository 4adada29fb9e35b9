"""An uploaded file -> an upright photo, as `prepare` would open it; held in memory, never on the disk."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from gentra_lora.photos.photo import FORMATS, PhotoError, open_upright
from gentra_lora.service.errors import ServiceError


@dataclass(frozen=True)
class Upload:
    """An RGB image and the sha256 of the file that it came in."""

    image: Image.Image
    sha256: str


def read_upload(content: bytes, max_pixels: int) -> Upload:
    """Return the photo of a file's bytes.

    Raises:
        ServiceError: 415, no picture of a kind that is read; 413, more pixels than `max_pixels`, told from the header
            before anything is decoded; 422, damaged, animated or in colours that cannot be converted.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            several = opened.format not in ("MPO", "HEIF") and _has_second(opened)
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise _refused(415, "photo_refused", f"is no picture, or a damaged one; {kinds} are read") from error
    except Image.DecompressionBombError as error:
        raise _too_many("far more", max_pixels) from error
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise _refused(422, "photo_refused", "is damaged; send it anew") from error
    if width * height > max_pixels:
        raise _too_many(f"{width} x {height}", max_pixels)
    if several:
        raise _refused(422, "photo_refused", "holds several pictures (an animation or pages); send one alone")
    try:
        image = open_upright(BytesIO(content), "image")
    except PhotoError as error:
        raise _refused(422, "photo_refused", str(error).removeprefix("image: ")) from error
    return Upload(image, hashlib.sha256(content).hexdigest())


def read_base64(text: str, max_pixels: int) -> Upload:
    """Return the photo of a file that is told in base64, also as a data: address.

    Raises:
        ServiceError: 422, no base64; see `read_upload`.
    """
    return read_upload(content_of(text), max_pixels)


def content_of(text: str) -> bytes:
    """Return the bytes of a file that is told in base64, also as a data: address.

    Raises:
        ServiceError: 422, it is something else.
    """
    if re.match(r"\s*https?:", text):
        raise _refused(422, "photo_refused", "is an address, which is not fetched; send the file itself in base64")
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(422, "photo_refused", "is no base64; send the photo's file in it") from error


def _has_second(opened: Image.Image) -> bool:
    """Return whether there is a second picture; counting all takes minutes in a TIFF of many pages."""
    try:
        opened.seek(1)
    except EOFError:
        return False
    return True


def _too_many(value: str, most: int) -> ServiceError:
    return _refused(413, "too_large", f"has {value} pixels; at most {most / 1e6:g} million are taken: scale it down")


def _refused(status: int, code: str, message: str) -> ServiceError:
    details = [{"field": "image", "message": message}]
    return ServiceError(status, code, f"image {message}", param="image", details=details)
