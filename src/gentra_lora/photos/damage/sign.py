"""What is found in a photo that may have lost a part."""

from typing import NamedTuple

LONG_RUN = 256  # equal bytes; disks lose sectors of 512 and more. Whole HEIF items held 55 at most, AVIF 16


class Sign(NamedTuple):
    """What is wrong, as words that follow a file's name; whether it proves damage, or a person should look."""

    what: str
    proof: bool


def has_long_run(data: bytes) -> bool:
    """Return whether LONG_RUN equal bytes follow each other."""
    # Every such run holds a multiple of half its length: compared there, a byte in a hundred is looked at.
    half = LONG_RUN // 2
    return any(
        data[at] == data[at + half - 1]
        and data[at : at + half] == data[at : at + 1] * half
        and _run_at(data, at) >= LONG_RUN
        for at in range(0, len(data) - half, half)
    )


def _run_at(data: bytes, at: int) -> int:
    """Return the length of the run of equal bytes around a place."""
    start = end = at
    while start > 0 and data[start - 1] == data[at]:
        start -= 1
    while end < len(data) and data[end] == data[at]:
        end += 1
    return end - start
