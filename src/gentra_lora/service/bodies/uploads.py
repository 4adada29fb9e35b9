"""An uploaded file -> an upright photo, as `prepare` would open it; held in memory, never on the disk."""

import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from gentra_lora.photos.masks import open_mask
from gentra_lora.photos.photo import FORMATS, PhotoError, open_header, open_upright
from gentra_lora.pictures.masks import file_of
from gentra_lora.service.errors import ServiceError

ONE_LARGE = threading.Lock()  # a photo of more than half of what is taken is opened with no other such beside it


@dataclass(frozen=True)
class Upload:
    """An RGB image, perhaps a mask of its size, and the sha256 of the files that they came in.

    The mask is as it counts: inverted and blurred already as it says.
    """

    image: Image.Image
    sha256: str
    mask: Image.Image | None = None
    mask_sha256: str | None = None
    mask_inverted: bool = False
    mask_blur: float = 0.0


def read_upload(content: bytes, max_pixels: int, mask: bytes | None = None) -> Upload:
    """Return the photo of a file's bytes, with the mask of another's.

    Raises:
        ServiceError: see `opened`; 422, a mask of another size.
    """
    upload = Upload(opened(content, max_pixels, "image", open_upright), hashlib.sha256(content).hexdigest())
    if mask is None:
        return upload
    return with_mask(upload, opened(mask, max_pixels, "mask", open_mask), hashlib.sha256(mask).hexdigest())


def with_mask(upload: Upload, mask: Image.Image, sha256: str | None = None) -> Upload:
    """Return a photo with what may change of it.

    Args:
        mask: white may change.
        sha256: of its file; of masks.file_of(mask) where it is not as one.

    Raises:
        ServiceError: 422, it has another size.
    """
    if mask.size != upload.image.size:
        sizes = [f"{width} x {height}" for width, height in (mask.size, upload.image.size)]
        message = f"is {sizes[0]} px, and the photo upright {sizes[1]}; make it of the photo's size"
        raise _refused(422, "photo_refused", "mask", message)
    return replace(upload, mask=mask, mask_sha256=sha256 or hashlib.sha256(file_of(mask)).hexdigest())


def opened(content: bytes, max_pixels: int, field: str, read: Callable[[BytesIO, str], Image.Image]) -> Image.Image:
    """Return what `read` makes of a file that looks harmless.

    Raises:
        ServiceError: 415, no picture of a kind that is read; 413, more pixels than `max_pixels`, told from the header
            before anything is decoded; 422, damaged, animated or in colours that cannot be converted.
    """
    try:
        with open_header(BytesIO(content)) as image:
            width, height = image.size
            several = image.format not in ("MPO", "HEIF") and _has_second(image)
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise _refused(415, "photo_refused", field, f"is no picture, or a damaged one; {kinds} are read") from error
    except Image.DecompressionBombError as error:
        raise _too_many("far more", max_pixels, field) from error
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise _refused(422, "photo_refused", field, "is damaged; send it anew") from error
    if width * height > max_pixels:
        raise _too_many(f"{width} x {height}", max_pixels, field)
    if several:
        raise _refused(422, "photo_refused", field, "holds several pictures (an animation or pages); send one alone")
    try:
        with ONE_LARGE if width * height > max_pixels / 2 else nullcontext():
            return read(BytesIO(content), field)
    except PhotoError as error:
        raise _refused(422, "photo_refused", field, str(error).removeprefix(f"{field}: ")) from error


def read_base64(text: str, max_pixels: int, mask: str | None = None) -> Upload:
    """Return the photo of a file that is told in base64, also as a data: address, with the mask of another.

    Raises:
        ServiceError: 422, no base64; see `read_upload`.
    """
    return read_upload(content_of(text), max_pixels, None if mask is None else content_of(mask, "mask"))


def content_of(text: str, field: str = "image") -> bytes:
    """Return the bytes of a file that is told in base64, also as a data: address.

    Raises:
        ServiceError: 422, it is something else.
    """
    if re.match(r"\s*https?:", text):
        raise _refused(422, "photo_refused", field, "is an address, which is not fetched; send the file in base64")
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(422, "photo_refused", field, "is no base64; send the file in it") from error


def _has_second(image: Image.Image) -> bool:
    """Return whether there is a second picture; counting all takes minutes in a TIFF of many pages."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _too_many(value: str, most: int, field: str) -> ServiceError:
    message = f"has {value} pixels; at most {most / 1e6:g} million are taken: scale it down"
    return _refused(413, "too_large", field, message)


def _refused(status: int, code: str, field: str, message: str) -> ServiceError:
    details = [{"field": field, "message": message}]
    return ServiceError(status, code, f"{field} {message}", param=field, details=details)
