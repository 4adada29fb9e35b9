"""PNG: each chunk carries a checksum, and the last one says that it is the last."""

import zlib
from collections.abc import Iterator

from gentra_lora.photos.damage.sign import Sign

PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"tRNS")  # a wrong checksum of a comment loses nothing of the picture


def signs(data: bytes) -> Iterator[Sign]:
    """Yield the Signs of a PNG file."""
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if kind in PICTURE and zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            yield Sign(f"is damaged: the checksum of its {kind.decode()} chunk at byte {at} is wrong", True)
            return
        if kind == b"IEND":
            return
        at = end + 4
    yield Sign("has no end marker: its last bytes are lost", False)
