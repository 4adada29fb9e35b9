"""How a stage is run: quiet libraries, errors a person can act on, its time noted for the summary."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gentra_lora.base.allocator import keep_freed_memory
from gentra_lora.base.memory import ran_out
from gentra_lora.errors import InputError, first_line

SECONDS_FILE = Path("reports/stage_seconds.json")
# What to change where a stage needs more memory than there is, the least loss first.
LOWER = {
    "prepare": "close other programs, or make the largest photo smaller",
    "cache_latents": "lower cache_latents.batch_size, then prepare.resolution",
    "train": "lower train.batch_size and raise train.gradient_accumulation_steps by as much, set "
    "train.gradient_checkpointing to true and train.lora_dropout to 0, then lower prepare.resolution",
    "evaluate": "close what else uses the device, then lower prepare.resolution",
}


def run(name: str, main: Callable[[], object]) -> None:
    """Run a stage's main; an InputError ends the process with its message alone."""
    # Here, since `gentra-lora summary` reads SECONDS_FILE of this module and should not wait for torch and diffusers.
    import torch

    from gentra_lora.base.libraries import hush_libraries

    hush_libraries()
    if not torch.cuda.is_available():
        keep_freed_memory()
    started = time.monotonic()
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # a full disk, a folder that must not be written, a Drive that is gone
        sys.exit(f"error: {error.filename or name}: {error.strerror or error}; free or name another place")
    except Exception as error:
        if not ran_out(error):
            raise
        sys.exit(f"error: {name}: out of memory ({first_line(error)}); {LOWER[name]}")
    seconds = json.loads(SECONDS_FILE.read_text()) if SECONDS_FILE.exists() else {}
    seconds[name] = round(time.monotonic() - started, 1)
    SECONDS_FILE.parent.mkdir(exist_ok=True)
    SECONDS_FILE.write_text(json.dumps(seconds) + "\n")
