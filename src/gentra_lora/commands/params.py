"""`gentra-lora profile` and `set`: params.yaml from the command line."""

import argparse
import subprocess
from pathlib import Path

from gentra_lora.commands.params_edit import with_values
from gentra_lora.errors import first_line
from gentra_lora.params import PARAMS_FILE, ParamsError, read_params
from gentra_lora.whole_file import write_whole

PROFILES = Path("profiles")


def add_to(commands):
    """Add the commands to a parser's."""
    profile = commands.add_parser("profile", help="copy profiles/NAME.yaml over params.yaml")
    profile.add_argument("name")
    profile.set_defaults(command=use_profile)

    values = commands.add_parser("set", help="set values in params.yaml, its comments kept")
    values.add_argument("edits", nargs="+", metavar="KEY=VALUE", type=_edit, help="such as train.learning_rate=5e-05")
    values.set_defaults(command=lambda args: set_values(args.edits))


def _edit(text):
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not KEY=VALUE")
    return key, value


def use_profile(args):
    """Copy a profile over params.yaml.

    Raises:
        ParamsError: no such profile, or params.yaml holds edits that git does not have.
    """
    known = {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}
    if args.name not in known:
        raise ParamsError(f"profile {args.name!r}: unknown; there are {', '.join(known) or 'none in profiles/'}")
    if PARAMS_FILE.exists():
        current = PARAMS_FILE.read_bytes()
        shipped = {path.read_bytes() for path in known.values()}
        if current not in shipped and current != _committed(PARAMS_FILE):
            raise ParamsError(f"{PARAMS_FILE}: has edits that are not in git; commit them, or remove the file, first")
    write_whole(PARAMS_FILE, lambda partial: partial.write_bytes(known[args.name].read_bytes()))
    print(f"{PARAMS_FILE} is now profiles/{args.name}.yaml")


def _committed(path):
    """Return the file's bytes in git's HEAD, or None."""
    found = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True)
    return found.stdout if found.returncode == 0 else None


def checked(edits):
    """Return params.yaml's text with values set, see `set_values`."""
    try:
        text = PARAMS_FILE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(
            f"{PARAMS_FILE}: cannot be read ({first_line(error)}); run from the project's root"
        ) from error
    text = with_values(text, dict(edits))
    read_params(text, source=str(PARAMS_FILE))
    return text


def set_values(edits):
    """Set values in params.yaml, (key, text) pairs; what would not be valid is refused and nothing is written.

    Raises:
        EditError, ParamsError: an unknown key, or a value that it cannot have.
    """
    text = checked(edits)
    write_whole(PARAMS_FILE, lambda partial: partial.write_text(text, encoding="utf-8"))
    print(f"{PARAMS_FILE}: {', '.join(f'{key} = {value}' for key, value in edits)}")
