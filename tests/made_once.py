"""What takes long to make, made once for all workers of a run."""

import os

from filelock import FileLock


def made_once(tmp_path_factory, name, make):
    """Return the folder `name`, filled by `make(folder)` in the worker that asks first; nobody may change it."""
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent  # each worker has a folder of its own in that of the run
    folder, made = top / name, top / f"{name}.made"
    with FileLock(top / f"{name}.lock"):
        if not made.exists():
            make(folder)
            made.touch()
    return folder
