"""`gentra-lora`: the words are read by screens.py without importing any command; then the one that is meant runs."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

from gentra_lora.base.memory import ran_out
from gentra_lora.commands.syntax.refusals import refusal
from gentra_lora.commands.syntax.screens import HELP, WIDEST, Family
from gentra_lora.commands.syntax.table import ENTRIES, PROGRAM
from gentra_lora.errors import InputError, first_line, show_every_letter


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; what a person can mend ends the process with a message alone, words not understood with 2."""
    words, path = sys.argv[1:] if argv is None else argv, ""
    show_every_letter()
    try:
        path, values = parsed(words)
        work_of(path)(**values)
    except click.UsageError as error:
        click.echo(refusal(error, path), err=True)
        sys.exit(2)
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a file that is gone
        sys.exit(f"error: {error.filename or path}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if ran_out(error):
            way_out = "close what else uses the device, or ask for smaller pictures or fewer"
            sys.exit(f"error: {path}: out of memory ({first_line(error)}); {way_out}")
        if "dvc" not in sys.modules:
            raise
        from gentra_lora.revisions.faults import told  # here: it loads DVC, which not every command does

        if text := told(error):
            sys.exit(f"error: {text}")
        raise


def parsed(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return (path of the command, such as "drive push", its values by name) of a command line; nothing is run.

    Raises:
        click.UsageError: a command, option or value that is not understood.
        SystemExit: help was asked for, and has been printed.
    """
    try:
        with Family().make_context(PROGRAM, [*words], max_content_width=WIDEST, help_option_names=HELP) as ctx:
            path, values = ctx.command.invoke(ctx)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    return path, values


def work_of(path: str) -> Callable[..., None]:
    """Return the function that does a command's work; its module is imported here."""
    module, name = str(ENTRIES[path].work).split(":")
    function: Callable[..., None] = getattr(import_module(f"gentra_lora.commands.{module}"), name)
    return function


if __name__ == "__main__":
    main()
