"""HEIF and AVIF: items of coded data in boxes. Decoders conceal what they cannot decode; the coded bytes cannot."""

import re
from collections.abc import Iterator

from gentra_lora.photos.damage.sign import Sign, has_long_run

# HEVC puts a 03 wherever data would hold two zeros and then 0, 1 or 2 (ITU-T H.265, 7.4.2): of data, none does.
FORBIDDEN = re.compile(rb"\0\0[\0\1\2]")
Box = tuple[bytes, int, int]  # kind, begin of what it holds, end


def signs(data: bytes) -> Iterator[Sign]:
    """Yield the Signs of a HEIF or AVIF file."""
    meta = next((box for box in boxes(data, 0, len(data)) if box[0] == b"meta"), None)
    if meta is None:
        return  # a sequence of pictures, which has tracks
    inside = {kind: (begin, end) for kind, begin, end in boxes(data, meta[1] + 4, meta[2])}
    if not {b"iinf", b"iloc"} <= inside.keys():
        return
    kinds = dict(item_kinds(data, *inside[b"iinf"]))
    for item, begin, end in extents(data, *inside[b"iloc"]):
        kind = kinds.get(item)
        if kind not in (b"hvc1", b"av01"):
            continue
        if end > len(data):
            yield Sign(f"is damaged: its data should end at byte {end}, and the file at {len(data)}", True)
            return
        if has_long_run(data[begin:end]) or kind == b"hvc1" and not _is_hevc(data[begin:end]):
            yield Sign(f"is damaged: its data between the bytes {begin} and {end} is overwritten", True)
            return


def boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two places; what they hold is not looked at."""
    while at + 8 <= end:
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        size = size or end - at
        if size < head:
            return
        yield data[at + 4 : at + 8], at + head, min(at + size, end)
        at += size


def item_kinds(data: bytes, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (number, kind) of each item that an iinf box lists."""
    for kind, at, _ in boxes(data, begin + (6 if data[begin] == 0 else 8), end):
        if kind == b"infe" and data[at] >= 2:
            wide = 2 if data[at] == 2 else 4
            yield int.from_bytes(data[at + 4 : at + 4 + wide], "big"), data[at + 6 + wide : at + 10 + wide]


def extents(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (item, begin, end) of each piece of data in the file itself that an iloc box lists."""
    version, at = data[begin], begin + 6
    widths = [data[begin + 4] >> 4, data[begin + 4] & 15, data[begin + 5] >> 4, data[begin + 5] & 15 if version else 0]

    def number(width: int) -> int:
        nonlocal at
        at += width
        return int.from_bytes(data[at - width : at], "big")

    offset_width, length_width, base_width, index_width = widths
    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)  # where another file is meant; none is read here
        base = number(base_width)
        for _ in range(number(2)):
            number(index_width)
            start = base + number(offset_width)
            length = number(length_width)
            if method == 0:
                yield item, start, start + length


def _is_hevc(data: bytes) -> bool:
    """Return whether data is a row of HEVC units, each after its length, without bytes that none can hold."""
    at = 0
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end == at + 4 or end > len(data) or FORBIDDEN.search(data, at + 4, end):
            return False
        at = end
    return at == len(data)
