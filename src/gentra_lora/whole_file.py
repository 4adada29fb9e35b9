"""Files that are whole or not there, whatever kills the process that writes them."""

import os
from collections.abc import Callable
from pathlib import Path


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
