"""What every module raises when something that a person gave cannot be used, and that it can be shown."""

import sys
from io import TextIOWrapper


def show_every_letter() -> None:
    """Let stdout and stderr write what their encoding lacks as an escape: a console must not end what has been done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def listed(count: int, noun: str) -> str:
    """Return a count with its noun: "1 photo", "2 photos"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class InputError(ValueError):
    """The message names the file or key, its value and the way out; it is shown without a traceback."""
