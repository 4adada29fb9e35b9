"""`gentra-lora`: each command stands in a module of its own, which alone is imported when it is asked for."""

import argparse
import os
import sys
from importlib import import_module

from gentra_lora.errors import InputError

MODULES = {
    "profile": "params",
    "set": "params",
    "base": "model",
    "lora": "model",
    "generate": "pictures",
    "img2img": "pictures",
    "regenerate": "regenerate",
    "summary": "pictures",
    "compare": "compare",
    "noise": "noise",
    "drive": "drive",
    "weights": "weights",
    "doctor": "doctor",
    "serve": "serve",
}


def main(argv=None):
    """Run a command; an InputError ends the process with its message alone."""
    words = sys.argv[1:] if argv is None else argv
    args = parser(words[0] if words else None).parse_args(words)
    try:
        args.command(args)
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a file that is gone
        sys.exit(f"error: {error.filename or words[0]}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)


def parser(first=None):
    """Return the argument parser of all commands, or of those alone that stand with the command `first`."""
    top = argparse.ArgumentParser(prog="gentra-lora", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name in dict.fromkeys([MODULES[first]] if first in MODULES else MODULES.values()):
        import_module(f"gentra_lora.commands.{name}").add_to(commands)
    return top


if __name__ == "__main__":
    main()
