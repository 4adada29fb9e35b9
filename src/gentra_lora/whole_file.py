"""Files that are whole or not there, whatever kills the process that writes them; and JSON that any reader takes."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from operator import methodcaller
from pathlib import Path
from typing import Any

from gentra_lora.errors import InputError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call write(path of a new file beside `path`), see that file on the disk, then move it to `path`.

    Where that fails, on a full disk for instance, `path` stays as it was and nothing is left beside it.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: object, **style: Any) -> None:
    """Write values as a whole JSON file with a newline at its end; see json_text.

    Raises:
        InputError: a number is not finite; `path` stays as it was.
    """
    text = json_text(values, str(path), **style)
    write_whole(path, methodcaller("write_text", f"{text}\n", encoding="utf-8"))


def json_text(values: object, source: str = "", **style: Any) -> str:
    """Return strict JSON: json.dumps writes NaN and Infinity, which are none and which most readers refuse.

    Args:
        source: what the values are, for the error.
        style: as json.dumps has it.

    Raises:
        InputError: a number is not finite; the message names its key.
    """
    for key, number in _not_finite(values, source):
        raise InputError(f"{key} is {number}, which JSON cannot hold: find out why it is not finite")
    return json.dumps(values, allow_nan=False, **{"ensure_ascii": False} | style)


def _not_finite(values: object, place: str) -> Iterator[tuple[str, float]]:
    """Yield (place, number) of the numbers that are not finite."""
    if isinstance(values, float) and not math.isfinite(values):
        yield place, values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from _not_finite(value, ": ".join(filter(None, (place, str(key)))))
    elif isinstance(values, list | tuple):
        for n, value in enumerate(values):
            yield from _not_finite(value, f"{place}[{n}]")
