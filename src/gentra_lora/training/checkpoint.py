"""Resume state: saved atomically, the last few kept, found again by what it belongs to."""

import hashlib
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch

from gentra_lora.adapter.file import Tensors, write_adapter
from gentra_lora.errors import InputError, first_line
from gentra_lora.whole_file import json_text, write_whole


class CheckpointError(InputError):
    """A checkpoint that cannot be written; the message names the file and the way out."""


def checkpoint_folder(values: Mapping[str, Any]) -> Path:
    """Return the folder for a run: GENTRA_CHECKPOINTS or checkpoints/, then a hash of all that changes the result.

    A changed parameter or photo gives another folder, so that a run resumes only its own checkpoints.
    """
    digest = hashlib.sha256(json_text(values, sort_keys=True, default=str, ensure_ascii=True).encode()).hexdigest()
    return Path(os.environ.get("GENTRA_CHECKPOINTS", "checkpoints")) / digest[:16]


def check_writable(folder: Path) -> None:
    """Make a folder and write to it once, so that a run does not fail hours later.

    Raises:
        InputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # of a name of its own: several processes may look at the same time
            pass
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); free it or name another place") from error


def save_checkpoint(
    folder: Path, step: int, state: Mapping[str, Any], tensors: Tensors, metadata: dict[str, str], kept: int
) -> None:
    """Write the state as of `step` finished steps, and beside it the adapter as of then, a file for any program.

    A kill or an error at any moment leaves the previous checkpoint valid; the state is written last and counts.

    Args:
        tensors: of the adapter, with its `metadata`; see adapter/file.py.

    Raises:
        CheckpointError: it cannot be written, as on a full disk.
    """
    path = folder / f"step-{step:07d}.pt"
    try:
        write_adapter(path.with_suffix(".safetensors"), tensors, metadata)
        write_whole(path, lambda partial: torch.save({"step": step, **state}, partial))
    except (OSError, RuntimeError) as error:  # torch.save tells a full disk by a RuntimeError
        path.with_suffix(".safetensors").unlink(missing_ok=True)
        raise CheckpointError(
            f"{path}: cannot be saved ({first_line(error)}); free space there or set GENTRA_CHECKPOINTS to another "
            "folder with a copy of this one; `dvc repro` then goes on from the last one saved"
        ) from error
    remove_old(folder, kept, step)


def remove_old(folder: Path, kept: int, step: int) -> None:
    """Keep the newest `kept` checkpoints alone of those up to `step`; later ones are a longer run's."""
    for old in _paths(folder, step)[:-kept]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def _paths(folder: Path, most: int) -> list[Path]:
    """Return the checkpoints up to a step, the newest last."""
    return [path for path in sorted(folder.glob("step-*.pt")) if int(path.stem.removeprefix("step-")) <= most]


def newest_checkpoint(folder: Path, most: int) -> dict[str, Any] | None:
    """Return the newest state up to the step `most` that can be read, or None.

    One that cannot is named in the output and passed over.
    """
    for path in reversed(_paths(folder, most)):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
            print(f"{path}: cannot be read ({first_line(error)}); trying the one before", flush=True)
    return None
