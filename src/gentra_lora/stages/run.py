"""How a stage is run: quiet libraries, errors a person can act on, its time noted for the summary."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gentra_lora.base.allocator import keep_freed_memory
from gentra_lora.base.memory import ran_out
from gentra_lora.errors import InputError, first_line, show_every_letter
from gentra_lora.stages.inputs import check_unchanged, inputs_of
from gentra_lora.whole_file import write_json

SECONDS_FILE = Path("reports/stage_seconds.json")
# What to change where a stage needs more memory than there is, the least loss first.
LOWER = {
    "prepare": "close other programs, or make the largest photo smaller",
    "cache_latents": "lower cache_latents.batch_size, then prepare.resolution",
    "train": "lower train.batch_size and raise train.gradient_accumulation_steps by as much, set "
    "train.gradient_checkpointing to true and train.lora_dropout to 0, then lower prepare.resolution",
    "evaluate": "close what else uses the device, then lower prepare.resolution",
}
PACKAGE, CODE_HERE = Path(__file__).resolve().parents[1], Path("src/gentra_lora")


def runs_other_code() -> bool:
    """Return whether the current folder is a project whose code, which DVC records, is not what this process runs."""
    return CODE_HERE.is_dir() and CODE_HERE.resolve() != PACKAGE and _code_in(CODE_HERE) != _code_in(PACKAGE)


def _code_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.py")}


def check_code() -> None:
    """Refuse to run other code than DVC records.

    Raises:
        InputError: it is another folder's.
    """
    if runs_other_code():
        raise InputError(
            f"{PACKAGE}: is not the code of this project, {CODE_HERE.resolve()}, and DVC would record the one for the "
            f"other; set PYTHONPATH=src, or install this folder by `pip install -e .`"
        )


def run(name: str, main: Callable[[], object]) -> None:
    """Run a stage's main, by the code of the current folder; an InputError ends the process with its message alone."""
    # Here, since `gentra-lora summary` reads SECONDS_FILE of this module and should not wait for torch and diffusers.
    import torch

    from gentra_lora.base.libraries import hush_libraries

    hush_libraries()
    show_every_letter()
    if not torch.cuda.is_available():
        keep_freed_memory()
    started = time.monotonic()
    try:
        check_code()
        before = inputs_of(name)
        main()
        check_unchanged(before, inputs_of(name))
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # a full disk, a folder that must not be written, a Drive that is gone
        sys.exit(f"error: {error.filename or name}: {error.strerror or error}; free or name another place")
    except Exception as error:
        if not ran_out(error):
            raise
        sys.exit(f"error: {name}: out of memory ({first_line(error)}); {LOWER[name]}")
    if os.environ.get("RANK", "0") != "0":  # one of several processes: two would write one file
        return
    seconds = json.loads(SECONDS_FILE.read_text()) if SECONDS_FILE.exists() else {}
    seconds[name] = round(time.monotonic() - started, 1)
    SECONDS_FILE.parent.mkdir(exist_ok=True)
    write_json(SECONDS_FILE, seconds)
