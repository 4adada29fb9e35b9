"""Resume state: saved atomically, the last few kept, found again by what it belongs to."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import torch

from gentra_lora.errors import InputError, first_line
from gentra_lora.whole_file import write_whole


def checkpoint_folder(values):
    """Return the folder for a run: GENTRA_CHECKPOINTS or checkpoints/, then a hash of all that changes the result.

    A changed parameter or photo gives another folder, so that a run resumes only its own checkpoints.
    """
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
    return Path(os.environ.get("GENTRA_CHECKPOINTS", "checkpoints")) / digest[:16]


def check_writable(folder):
    """Make a folder and write to it once, so that a run does not fail hours later.

    Raises:
        InputError: it cannot be written.
    """
    probe = folder / ".probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); free it or name another place") from error


def save_checkpoint(folder, step, state, kept):
    """Write state as of `step` finished steps; a kill at any moment leaves the previous checkpoint valid."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:07d}.pt"
    write_whole(path, lambda partial: torch.save({"step": step, **state}, partial))
    for old in sorted(folder.glob("step-*.pt"))[:-kept]:
        old.unlink()


def newest_checkpoint(folder):
    """Return the newest state that can be read, or None; one that cannot is named in the output and passed over."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
            print(f"{path}: cannot be read ({first_line(error)}); trying the one before", flush=True)
    return None
