"""`gentra-lora profile` and `set`: params.yaml from the command line."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from gentra_lora.commands.params_edit import with_values
from gentra_lora.params import PARAMS_FILE, ParamsError, params_text, read_params
from gentra_lora.revisions.killed_experiment import at_work
from gentra_lora.whole_file import write_whole

PROFILES = Path("profiles")

Edits = Sequence[tuple[str, str]]  # key, text of the value


def use_profile(name: str) -> None:
    """Copy a profile over params.yaml.

    Raises:
        ParamsError: no such profile, or params.yaml holds edits that git does not have, or a stage runs.
    """
    _refuse_at_work()
    known = {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}
    if name not in known:
        raise ParamsError(f"profile {name!r}: unknown; there are {', '.join(known) or 'none in profiles/'}")
    if PARAMS_FILE.exists():
        current = PARAMS_FILE.read_bytes()
        shipped = {path.read_bytes() for path in known.values()}
        if current not in shipped and current != _committed(PARAMS_FILE):
            raise ParamsError(f"{PARAMS_FILE}: has edits that are not in git; commit them, or remove the file, first")
    write_whole(PARAMS_FILE, lambda partial: partial.write_bytes(known[name].read_bytes()))
    print(f"{PARAMS_FILE} is now profiles/{name}.yaml")


def _refuse_at_work() -> None:
    """Refuse to change params.yaml under a stage: dvc.lock would record the new values of what the old ones made."""
    if commands := at_work(Path.cwd()):
        raise ParamsError(
            f"{PARAMS_FILE}: DVC is at work here ({'; '.join(commands)}) and records it when a stage ends; wait for it "
            "or stop it first"
        )


def _committed(path: Path) -> bytes | None:
    """Return the file's bytes in git's HEAD, or None."""
    found = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True)
    return found.stdout if found.returncode == 0 else None


def checked(edits: Edits) -> str:
    """Return params.yaml's text with values set, see `set_values`."""
    _refuse_at_work()
    text = with_values(params_text(), dict(edits))
    read_params(text, source=str(PARAMS_FILE))
    return text


def set_values(edits: Edits) -> None:
    """Set values in params.yaml, (key, text) pairs; what would not be valid is refused and nothing is written.

    Raises:
        EditError, ParamsError: an unknown key, or a value that it cannot have, or a stage runs.
        ParamsTextError: params.yaml cannot be read.
    """
    text = checked(edits)
    write_whole(PARAMS_FILE, lambda partial: partial.write_text(text, encoding="utf-8"))
    print(f"{PARAMS_FILE}: {', '.join(f'{key} = {value}' for key, value in edits)}")
