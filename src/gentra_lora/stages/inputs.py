"""What a stage reads, by dvc.yaml: noted at its start and looked at again at its end.

DVC notes parameters and files in dvc.lock when a stage has ended. One that was edited meanwhile would be recorded of a
result that it did not make.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gentra_lora.errors import InputError, first_line
from gentra_lora.params import PARAMS_FILE, ParamsTextError, params_text, parse_params

DVC_FILE, IGNORED = Path("dvc.yaml"), Path(".dvcignore")
HASHED = 1_000_000  # bytes; of a larger file size and time of change are looked at, as DVC does


class InputsChangedError(InputError):
    """What a stage read is not what lies there at its end; the message names it."""


def inputs_of(stage: str) -> dict[str, object]:
    """Return {parameter or file: what it is now} of all that a stage reads by dvc.yaml; nothing without one."""
    if not DVC_FILE.exists():
        return {}
    try:
        block = yaml.safe_load(DVC_FILE.read_text(encoding="utf-8"))["stages"].get(stage, {})
    except yaml.YAMLError as error:  # an editor at work
        return {str(DVC_FILE): first_line(error)}
    params = _params()
    found = {f"{PARAMS_FILE}: {key}": _value(params, key) for key in block.get("params", [])}
    for dep in block.get("deps", []):
        path = Path(str(_value(params, dep[2:-1])) if dep.startswith("${") else dep)
        found |= {str(file): _content(file) for file in (_files(path) if path.is_dir() else [path])}
    return found


def check_unchanged(before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Refuse to end a stage as done whose parameters or files have changed while it ran.

    Raises:
        InputsChangedError: names them.
    """
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if not changed:
        return
    lines = [f"{key}{_change(before.get(key), after.get(key))}" for key in changed[:5]]
    more = f", and {len(changed) - 5} more" if len(changed) > 5 else ""
    raise InputsChangedError(
        f"changed while this stage ran: {'; '.join(lines)}{more}. What it made is of the old, and dvc.lock would "
        "record the new: put it back or leave it, and run `dvc repro`"
    )


def _params() -> Any:
    """Return the values of params.yaml; a half text or none, as an editor may leave it, is another value as well."""
    try:
        return parse_params(params_text(PARAMS_FILE), str(PARAMS_FILE))
    except ParamsTextError as error:
        return str(error)


def _value(params: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(params, dict) or part not in params:
            return None
        params = params[part]
    return params


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder that DVC looks at."""
    ignored = [line.strip() for line in _lines(IGNORED) if line.startswith("/")]
    hidden = tuple(Path(line[1:]) for line in ignored)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return [path for path in files if not any(path.is_relative_to(place) for place in hidden)]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _content(path: Path) -> str | None:
    """Return what tells a file's content from another's, or None where there is none."""
    try:
        found = path.stat()
        if found.st_size > HASHED:
            return f"{found.st_size} {found.st_mtime_ns}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _change(before: object, after: object) -> str:
    """Return a change of one value in words, or nothing for a file and for a block of values."""
    if isinstance(before, int | float | str) and isinstance(after, int | float | str) and len(f"{before}{after}") < 64:
        return f" ({before} then, {after} now)"
    return ""
