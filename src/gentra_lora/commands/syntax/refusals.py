"""What a person reads where words were not understood: the reason, the nearest that would be, and where help is."""

from difflib import get_close_matches

import click

from gentra_lora.commands.syntax.kinds import name_of
from gentra_lora.commands.syntax.table import PROGRAM


def refusal(error: click.UsageError, path: str) -> str:
    """Return the lines on words that were not understood; `path` is the command's, where it was."""
    command = error.ctx.command_path if error.ctx else f"{PROGRAM} {path}".strip()
    return f"error: {_reason(error)}\n`{command} --help` shows how it is used"


def _reason(error: click.UsageError) -> str:
    param = error.param if isinstance(error, click.BadParameter) else None
    if param and isinstance(error, click.MissingParameter):
        return f"{name_of(param)} is missing"
    if param:
        return f"{name_of(param)}: {error.message}"
    if isinstance(error, click.NoSuchOption) and error.ctx:
        known = [name for param in error.ctx.command.params for name in param.opts if name.startswith("--")]
        near = get_close_matches(error.option_name, [*known, "--help"], 1)
        way_out = f"did you mean {near[0]}?" if near else f"there are {', '.join([*known, '--help'])}"
        return f"{error.ctx.command_path} has no option {error.option_name}; {way_out}"
    return error.format_message()
