"""A picture's file in the format that a client of OpenAI's API wishes, with what made it inside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from gentra_lora.pictures.record import parameters_text
from gentra_lora.service.openai.wishes import FileFormat, OpenAIImage

BEST = 100  # the quality where none is said, as OpenAI has it


@dataclass(frozen=True)
class FileKind:
    """A format, and a quality from 0 to 100 that a PNG does not have."""

    format: FileFormat = "png"
    quality: int = BEST

    @property
    def media_type(self) -> str:
        """Its name in headers."""
        return f"image/{self.format}"


def kind_wished(asked: OpenAIImage) -> FileKind:
    """Return what a request says of its files."""
    quality = BEST if asked.output_compression is None else asked.output_compression
    return FileKind(asked.output_format or "png", quality)


def file_of(png: bytes, record: Mapping[str, Any], kind: FileKind) -> bytes:
    """Return a picture's file: the PNG itself, or a JPEG or WebP of it with the same texts.

    A1111's lies in its EXIF's UserComment, where other programs look for it, our record in its ImageDescription.
    """
    if kind.format == "png":
        return png
    exif = Image.Exif()
    exif[Base.ImageDescription] = json.dumps(record, ensure_ascii=False).encode()
    exif.get_ifd(IFD.Exif)[Base.UserComment] = b"UNICODE\0" + parameters_text(record).encode("utf-16-be")
    with Image.open(BytesIO(png)) as picture:
        return encoded(picture, kind, exif=exif.tobytes())


def encoded(picture: Image.Image, kind: FileKind, **more: Any) -> bytes:
    """Return a file's bytes."""
    options: dict[str, Any] = {} if kind.format == "png" else {"quality": kind.quality}
    if kind.format == "jpeg" and kind.quality == BEST:
        options["subsampling"] = 0  # or thin lines in colour would lose it
    with BytesIO() as buffer:
        picture.save(buffer, kind.format, **options, **more)
        return buffer.getvalue()
