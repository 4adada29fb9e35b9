"""A Drive that is there only while it is mounted: GENTRA_FAKE_DRIVE names the folder that holds it meanwhile."""

import os
from pathlib import Path


def mount(mountpoint):
    """Let the Drive appear at a path that is not there or empty, as Colab does."""
    if Path(mountpoint, "MyDrive").is_dir():
        print(f"Drive already mounted at {mountpoint}.")
        return
    # No link: a program that has resolved the path must lose the Drive too.
    os.rename(os.environ["GENTRA_FAKE_DRIVE"], mountpoint)
    print(f"Mounted at {mountpoint}")


def flush_and_unmount():
    """Let it disappear; an empty folder stays."""
    os.rename(os.environ["GENTRA_MOUNT"], os.environ["GENTRA_FAKE_DRIVE"])
    os.mkdir(os.environ["GENTRA_MOUNT"])
