"""A photo file of any format -> the signs that a part of it is lost."""

from collections.abc import Callable, Iterator

from gentra_lora.photos.damage import boxes, jpeg, png, riff, tiff
from gentra_lora.photos.damage.sign import Sign

# BMP and GIF carry nothing that could tell, other than what their decoders raise.
BY_FORMAT: dict[str, Callable[[bytes], Iterator[Sign]]] = {
    "JPEG": jpeg.signs,
    "MPO": jpeg.signs,
    "PNG": png.signs,
    "HEIF": boxes.signs,
    "AVIF": boxes.signs,
    "WEBP": riff.signs,
    "TIFF": tiff.signs,
}


def damage_of(data: bytes, kind: str) -> tuple[str | None, tuple[str, ...]]:
    """Return (what proves that a file of a format is damaged or None, what a person should look at)."""
    found = list(BY_FORMAT[kind](data)) if kind in BY_FORMAT else []
    proofs = [sign.what for sign in found if sign.proof]
    return (proofs[0] if proofs else None), tuple(sign.what for sign in found if not sign.proof)
