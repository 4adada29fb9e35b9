"""WebP: neither checksums nor bytes that cannot be; only long runs tell, and simple drawings hold those as well."""

from collections.abc import Iterator

from gentra_lora.photos.damage.sign import Sign, has_long_run


def signs(data: bytes) -> Iterator[Sign]:
    """Yield the Signs of a WebP file."""
    promised = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < promised - 1:  # a last byte that only pads may be left out
        yield Sign(f"is damaged: it should have {promised} bytes, and has {len(data)}", True)
    elif has_long_run(data[12:promised]):
        yield Sign("holds a long run of equal bytes in its data: a part may be overwritten", False)
