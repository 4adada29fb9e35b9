"""JPEG: what libjpeg warns of while it decodes, and no decoder in Python raises; scans and an end that are missing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import simplejpeg

from gentra_lora.photos.damage.sign import LONG_RUN, Sign

# After a scan's data comes a marker: FF and neither 00 (a stuffed FF), D0 to D7 (restarts), nor FF (a fill byte).
END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
TABLES = (0xC4, 0xCC, 0xDB, 0xDD)  # Huffman, arithmetic, quantization, restart interval
FRAMES = tuple(n for n in range(0xC0, 0xD0) if n not in (0xC4, 0xC8, 0xCC))
PROGRESSIVE = (0xC2, 0xCA)
IGNORED = (*range(0xE0, 0xF0), 0xFE)  # the makers' own segments, comments
# The warnings that tell of lost data, other than bytes that are left over: those may be a camera's padding.
LOSS = re.compile(r"premature end of data segment|bad (?:Huffman|arithmetic) code|instead of RST")
LEFT_OVER = re.compile(r"(\d+) extraneous bytes")
PADDING = 32  # bytes; cameras leave a few. A hole of 512 bytes left 94 and more of what followed it


@dataclass
class Stream:
    """A JPEG's first picture without what is not needed to decode it; `scans` are (header, data) pairs."""

    parts: list[bytes] = field(default_factory=list)  # segments in order, a scan's data as one
    data: list[int] = field(default_factory=list)  # which of the parts are scans' data
    frame: int = 0
    components: int = 0
    bits_left: dict[tuple[int, int], int] = field(default_factory=dict)  # by component and coefficient
    ended: bool = False

    def bytes(self, trimmed: bool = False) -> bytes:
        """Return the stream; `trimmed` of the equal bytes that end a scan's data, as cameras pad it."""
        parts = list(self.parts)
        for number in self.data if trimmed else ():
            parts[number] = _trimmed(parts[number])
        return b"\xff\xd8" + b"".join(parts) + b"\xff\xd9"


def signs(data: bytes) -> Iterator[Sign]:
    """Yield the Signs of a JPEG file.

    What no warning tells: bytes that changed within one Huffman code of the same length, and up to some kilobytes of
    the last bits of a progressive file, which change the picture by less than a level.
    """
    stream = read_stream(data)
    loss = _loss(stream)
    if loss:
        yield Sign(f"is damaged: its data breaks off or is overwritten ({loss})", True)
        return
    if not stream.ended:
        yield Sign("has no end marker: its last bytes are lost", False)
    if stream.frame in PROGRESSIVE and any(stream.bits_left.values()):
        yield Sign("lacks some of its progressive scans: it may be blurred", False)
    if stream.frame in PROGRESSIVE and any(bytes(LONG_RUN) in stream.parts[number] for number in stream.data):
        yield Sign("holds a long run of zeros in its data: a part may be overwritten", False)


def read_stream(data: bytes) -> Stream:
    """Return the Stream of a file, up to its end, or to the first thing that no JPEG holds."""
    stream, at = Stream(), 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data) or data[at : at + 2] == b"\xff\xd9":
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= SOI:
            at += 1  # fill bytes
            continue
        segment = data[at : at + 2 + length]
        at += 2 + length
        if marker in FRAMES:
            stream.frame, stream.components = marker, segment[9]
            stream.bits_left = {(name, n): 1 for name in segment[10::3] for n in range(64)}
        if marker == SOS:
            found = END_OF_SCAN.search(data, at)
            end = found.start() if found else len(data)
            stream.parts.append(_scan_header(segment, stream))
            stream.data.append(len(stream.parts))
            stream.parts.append(data[at:end])
            at = end
            if stream.frame not in PROGRESSIVE and segment[4] == stream.components:
                stream.ended = data[at : at + 2] == b"\xff\xd9"
                break  # that was the whole picture; after damage come markers that mean nothing
        elif marker in TABLES or marker in FRAMES:
            stream.parts.append(segment)
        elif marker not in IGNORED:
            stream.ended = marker == EOI
            break
    return stream


def _scan_header(segment: bytes, stream: Stream) -> bytes:
    """Return a scan's header as the standard wants it, and note what bits of which coefficients it brings."""
    count = segment[4]
    names, (first, last, bits) = segment[5 : 5 + 2 * count : 2], segment[5 + 2 * count : 8 + 2 * count]
    if stream.frame not in PROGRESSIVE:
        return segment[: 5 + 2 * count] + b"\0\x3f\0"  # some cameras write others, and libjpeg warns of them
    stream.bits_left |= {(name, n): bits & 15 for name in names for n in range(first, last + 1)}
    return segment


def _trimmed(data: bytes) -> bytes:
    """Return a scan's data without a long end of zeros or of fill bytes, but for a few, which may be its own."""
    shortest = min((data.rstrip(b"\0"), data.rstrip(b"\xff")), key=len)
    return data[: len(shortest) + PADDING // 2]


def _loss(stream: Stream) -> str | None:
    """Return libjpeg's warning of lost data, or None."""
    warning = _warning(stream.bytes(), stream.components)
    if warning and LEFT_OVER.search(warning):
        warning = _warning(stream.bytes(trimmed=True), stream.components)
    if warning is None:
        return None
    left_over = LEFT_OVER.search(warning)
    return warning if LOSS.search(warning) or left_over and int(left_over[1]) >= PADDING else None


def _warning(data: bytes, components: int) -> str | None:
    """Return libjpeg's first warning or error, or None; an eighth of the size is enough for all of the data's codes."""
    try:
        simplejpeg.decode_jpeg(data, "CMYK" if components == 4 else "GRAY", min_factor=8, strict=True)
    except ValueError as error:  # of kinds that it does not know as well, such as odd subsamplings
        return str(error)
    return None
