"""PNG: each chunk carries a checksum, and the last one says that it is the last; texts may unpack to anything."""

import zlib
from collections.abc import Iterator

from PIL.PngImagePlugin import MAX_TEXT_CHUNK, MAX_TEXT_MEMORY

from gentra_lora.photos.damage.sign import Sign

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"tRNS")  # a wrong checksum of a comment loses nothing of the picture


def signs(data: bytes) -> Iterator[Sign]:
    """Yield the Signs of a PNG file."""
    for at, kind, end in _chunks(data):
        if kind in PICTURE and zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            yield Sign(f"is damaged: the checksum of its {kind.decode()} chunk at byte {at} is wrong", True)
            return
        if kind == b"IEND":
            return
    yield Sign("has no end marker: its last bytes are lost", False)


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield (start, kind, end of its data) of each chunk; four bytes of checksum follow."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield at, data[at + 4 : at + 8], end
        at = end + 4


def without_large_texts(data: bytes) -> bytes:
    """Return a PNG file without the texts that PIL would refuse the whole picture for."""
    kept, after, unpacked = [], 0, 0
    for at, kind, end in _chunks(data):
        if kind in TEXTS:
            size = _unpacked_size(kind, data[at + 8 : end])
            if size > MAX_TEXT_CHUNK or unpacked + size > MAX_TEXT_MEMORY:
                kept.append(data[after:at])
                after = end + 4
            else:
                unpacked += size
    return b"".join([*kept, data[after:]]) if kept else data


def _unpacked_size(kind: bytes, text: bytes) -> int:
    """Return the bytes of a text chunk's text, MAX_TEXT_CHUNK + 1 where a packed one has more."""
    _, _, rest = text.partition(b"\0")
    if kind == b"zTXt":
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]  # after its language and its translated keyword
    else:
        return min(len(text), MAX_TEXT_CHUNK)  # what is not packed has its size in the file
    inflater = zlib.decompressobj()
    try:
        size = len(inflater.decompress(packed, MAX_TEXT_CHUNK))
    except zlib.error:
        return 0
    return size + bool(inflater.unconsumed_tail)
