"""A Drive that is there only while it is mounted: GENTRA_FAKE_DRIVE names the folder that holds it meanwhile."""

import os
from pathlib import Path


def mount(mountpoint):
    """Let the Drive appear at a path, as Colab does."""
    folder, mountpoint = Path(os.environ["GENTRA_FAKE_DRIVE"]), Path(mountpoint)
    if mountpoint.exists() and not folder.exists():
        print(f"Drive already mounted at {mountpoint}.")
        return
    # No link: a program that has resolved the path must lose the Drive too.
    folder.rename(mountpoint)
    print(f"Mounted at {mountpoint}")


def flush_and_unmount():
    """Let it disappear."""
    Path(os.environ["GENTRA_MOUNT"]).rename(os.environ["GENTRA_FAKE_DRIVE"])
