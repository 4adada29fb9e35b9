"""Photo files, whatever phones and forums make of them -> upright sRGB; pixel_values."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, cast

import numpy as np
import pillow_heif
import psutil
import torch
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from gentra_lora.errors import InputError, first_line
from gentra_lora.photos.colour import ColourError, eight_bits, to_srgb
from gentra_lora.photos.damage.check import damage_of
from gentra_lora.photos.damage.flat import flat_part
from gentra_lora.photos.damage.png import SIGNATURE, without_large_texts
from gentra_lora.photos.turns import turn_of, upright

pillow_heif.register_heif_opener()

# The formats that are opened, and how their files are usually called. PIL knows more, some of which run programs.
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # a JPEG that carries further pictures, from phones
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
FORMATS = [kind for kind in SUFFIXES if kind != "MPO"]  # which the JPEG reader finds by itself
MAX_PIXELS = 250_000_000  # phones take up to 200 million; more is a file that means harm
BYTES_PER_PIXEL = 16  # of memory while a photo is opened and scaled: 14.8 were measured of 24 million
# A JPEG with more is decoded at a half, quarter or eighth of its sides where that is enough; one with fewer is decoded
# whole, so that its crops stay what they are.
LARGE = 80_000_000
DNG_VERSION, SUBFILE_TYPE, REDUCED = 50706, 254, 1  # tags of a TIFF, and a bit of the second
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # PIL's own limit is under what phones take
Source = Path | str | IO[bytes]
Size = tuple[int, int]  # (width, height) in px


class PhotoError(InputError):
    """A file is not a photo that can be used; the message names it and the way out."""


@dataclass(frozen=True)
class Photo:
    """An upright sRGB image, the format it was stored in, and what a person should know about the file.

    `doubts` are signs of damage that an intact photo may show as well: a person should look at the picture.
    """

    image: Image.Image
    format: str
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def sha256_of(path: Path | str) -> str:
    """Return the sha256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def open_header(source: Source) -> Iterator[ImageFile.ImageFile]:
    """Yield what PIL makes of a file before it decodes anything; a PNG's texts that it would not hold are left out."""
    # PIL is never given a path: it would map an uncompressed TIFF into memory, and one that lies sideways comes out as
    # other pixels then (seen in 13.0).
    with Path(source).open("rb") if isinstance(source, str | Path) else nullcontext(source) as file:
        file.seek(0)
        is_png = file.read(len(SIGNATURE)) == SIGNATURE
        file.seek(0)
        with Image.open(BytesIO(without_large_texts(file.read())) if is_png else file, formats=FORMATS) as opened:
            yield opened


def open_upright(source: Source, name: str | None = None) -> Image.Image:
    """Return the image of `open_photo`."""
    return open_photo(source, name).image


def open_photo(source: Source, name: str | None = None, least: Callable[[Size], Size] | None = None) -> Photo:
    """Return a Photo: turned by its EXIF tag, colours converted to sRGB, transparency laid on white, 8 bits a channel.

    Args:
        name: what messages call it; the path where there is one.
        least: size of a photo -> the size below which it must not be decoded; without it, a photo is decoded whole.

    Raises:
        PhotoError: not a picture of one of the FORMATS, damaged (damage/check.py says how that is told), more than
            MAX_PIXELS or than memory holds (told from the header, before anything is decoded), more than one frame, or
            colours that cannot be converted.
    """
    name = name or str(source)
    try:
        with open_header(source) as opened:
            _refuse_by_header(opened, name)
            if least and opened.width * opened.height > LARGE:
                opened.draft(None, least(opened.size))  # JPEG alone can; it changes opened.size
            _refuse_by_memory(opened, name)
            _shorten_key(opened)
            opened.load()
            photo = _upright(opened)
        damage, doubts = damage_of(_bytes_of(source), photo.format)
        if damage:
            raise PhotoError(f"{name}: {damage}; replace or remove it")
        flat = flat_part(photo.image)
        return replace(photo, doubts=(*doubts, flat) if flat else doubts)
    except PhotoError:
        raise
    except ColourError as error:
        raise PhotoError(f"{name}: {error}") from error
    except UnidentifiedImageError as error:
        empty = isinstance(source, str | Path) and Path(source).stat().st_size == 0
        what = "is empty" if empty else f"is no picture, or a damaged one ({', '.join(FORMATS)} are read)"
        raise PhotoError(f"{name}: {what}; replace or remove it") from error
    except Image.DecompressionBombError as error:
        raise PhotoError(_too_many(name, "far more")) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PhotoError(f"{name}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise PhotoError(f"{name}: is damaged ({first_line(error)}); replace or remove it") from error


def _bytes_of(source: Source) -> bytes:
    if isinstance(source, str | Path):
        return Path(source).read_bytes()
    source.seek(0)
    return source.read()


def _refuse_by_header(opened: ImageFile.ImageFile, name: str) -> None:
    pixels = opened.width * opened.height
    if pixels > MAX_PIXELS:
        raise PhotoError(_too_many(name, f"{opened.width} x {opened.height} = {pixels / 1e6:.0f} million"))
    # Further pictures in an MPO or HEIF file are depth maps, thumbnails and the like: the first is the photo.
    frames = 1 if opened.format in ("MPO", "HEIF") else getattr(opened, "n_frames", 1)
    if frames > 1:
        raise PhotoError(f"{name}: holds {frames} pictures (an animation or pages); save the one that you want alone")
    if isinstance(opened, TiffImageFile) and _is_raw(opened):
        raise PhotoError(f"{name}: is a camera's raw file, of which only a preview opens; save it as JPEG, PNG or TIFF")


def _is_raw(opened: TiffImageFile) -> bool:
    """Return whether a TIFF is a DNG or Canon's raw file, or begins with a reduced picture as Nikon's and Sony's do."""
    file, tags = cast(IO[bytes], opened.fp), opened.tag_v2
    file.seek(8)
    return file.read(2) == b"CR" or DNG_VERSION in tags or bool(tags.get(SUBFILE_TYPE, 0) & REDUCED)


def _refuse_by_memory(opened: ImageFile.ImageFile, name: str) -> None:
    needed, free = opened.width * opened.height * BYTES_PER_PIXEL, psutil.virtual_memory().available
    if needed > free:
        gigabytes = f"needs {needed / 1e9:.1f} GB of memory to be opened, and {free / 1e9:.1f} are free"
        raise PhotoError(f"{name}: {opened.width} x {opened.height} px, {gigabytes}; scale it down, or free memory")


def _too_many(name: str, value: str) -> str:
    return f"{name}: has {value} pixels, at most {MAX_PIXELS / 1e6:.0f} million are opened; scale it down"


def _shorten_key(opened: ImageFile.ImageFile) -> None:
    """Reduce the transparent colour of a 16-bit RGB PNG to the upper 8 bits, which is what PIL keeps of the pixels.

    PIL itself would compare them with the lower 8 bits of the colour, and make others transparent.
    """
    if opened.format == "PNG" and opened.tile[0][3] == "RGB;16B" and "transparency" in opened.info:
        opened.info["transparency"] = tuple(level >> 8 for level in opened.info["transparency"])


def _upright(opened: ImageFile.ImageFile) -> Photo:
    notes = [] if opened.mode != "CMYK" or "icc_profile" in opened.info else ["CMYK without a colour profile"]
    turn, note = turn_of(opened)
    notes += [note] if note else []
    image, alpha = eight_bits(upright(opened, turn))
    if alpha is None and image.has_transparency_data:
        # Grey stays grey: a grey profile fits no RGB.
        image = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
    if image.mode in ("RGBA", "LA"):
        alpha, image = image.getchannel("A"), image.convert(image.mode.removesuffix("A"))
    image = to_srgb(image)
    if alpha is not None:
        if alpha.getextrema()[1] == 0:
            notes.append("is fully transparent: nothing of it is seen, and it becomes white")
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    image.info.clear()  # PNG files written from it would carry the old profile
    return Photo(image, opened.format, tuple(notes))  # type: ignore[arg-type]  # what is opened has a format


def to_pixel_values(image: Image.Image) -> torch.Tensor:
    """Return an RGB image as float32 (1, 3, H, W) in [-1, 1]."""
    array = torch.from_numpy(np.array(image, dtype=np.float32))  # (H, W, 3)
    return (array / 127.5 - 1).permute(2, 0, 1)[None]
