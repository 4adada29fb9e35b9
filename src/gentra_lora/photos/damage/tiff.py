"""TIFF: compressed data with a long run of equal bytes; what is not compressed may hold any."""

import struct
from collections.abc import Iterator

from gentra_lora.photos.damage.sign import Sign, has_long_run

COMPRESSION, NONE, PACKBITS = 259, 1, 32773


def signs(data: bytes) -> Iterator[Sign]:
    """Yield the Signs of a TIFF file."""
    if _compression(data) not in (NONE, PACKBITS) and has_long_run(data[8:]):
        yield Sign("holds a long run of equal bytes in its data: a part may be overwritten", False)


def _compression(data: bytes) -> int:
    """Return the compression of a file's first picture, by the number that the standard gives it."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*"):
        return NONE  # BigTIFF has another layout
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, value = struct.unpack_from(f"{order}H6xH", data, place)
        if tag == COMPRESSION:
            return value
    return NONE
