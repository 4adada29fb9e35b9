"""What a file of a base holds, by its first bytes: the header of a .safetensors file, or JSON; no weight is read."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from gentra_lora.base.source import BaseModelError

Shape = tuple[int, ...]
MOST_HEADER = 100_000_000  # bytes; what the format allows
LFS = "version https://git-lfs"
POINTER = "is a pointer of Git LFS, not the file; run `git lfs pull` where it was cloned, or download it"
CONVERT = (
    "import sys, torch; from safetensors.torch import save_file; w = torch.load(sys.argv[1], map_location='cpu'); "
    "w = w.get('state_dict', w); "
    "save_file({k: v.contiguous().clone() for k, v in w.items() if torch.is_tensor(v)}, sys.argv[2])"
)


@dataclass(frozen=True)
class Header:
    """{name of a weight: its shape}, and the strings that the file says of itself."""

    shapes: dict[str, Shape]
    metadata: dict[str, str] = field(default_factory=dict)


def read_header(key: str, path: Path) -> Header:
    """Return the header of a .safetensors file that is as long as it says.

    Args:
        key: the file's key in params.yaml, for errors.

    Raises:
        BaseModelError: another kind of file, or not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(256)
        length = int.from_bytes(start[:8], "little")
        if start[8:9] != b"{" or length > MOST_HEADER:
            raise BaseModelError(f"{key}: {path} {_other_kind(path, start)}")
        file.seek(8)
        text = file.read(length)
    if len(text) < length:
        raise BaseModelError(f"{key}: {path} is cut: it ends within its header; download it again")
    try:
        header, ends = _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaseModelError(f"{key}: the header of {path} is damaged; download it again") from error
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        word = "cut" if size < whole else "too long"
        raise BaseModelError(f"{key}: {path} is {word}: {size:,} bytes, not {whole:,}; download it again")
    if not any(prod(shape) for shape in header.shapes.values()):
        raise BaseModelError(f"{key}: {path} holds no weights; take the weights of a base model")
    return header


def _parsed(entries: dict[str, Any]) -> tuple[Header, list[int]]:
    """Return the header with where each weight ends, in bytes after it."""
    metadata = entries.pop("__metadata__", {})
    shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
    return Header(shapes, metadata), [entry["data_offsets"][1] for entry in entries.values()]


def _other_kind(path: Path, start: bytes) -> str:
    """Return what a file is instead of weights, with the way out."""
    if not start:
        return "is empty; download it again"
    if start.startswith(LFS.encode()):
        return POINTER
    if start.startswith((b"PK", b"\x80")):  # zip, as torch.save writes, or a bare pickle
        files = shlex.join([str(path), str(path.with_name(f"{path.stem}_weights.safetensors"))])
        return f'is a pickle, which can run code when it is opened; convert it once: python -c "{CONVERT}" {files}'
    if start.startswith(b"GGUF"):
        return "is a GGUF file of quantised weights; take the model's .safetensors"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b'{"')):
        return "is a web page or a site's answer, not weights: the download wanted a log-in or failed; try it again"
    if start.lstrip().startswith(b"{"):
        return "is a JSON file, not weights; name the folder of the whole pipeline"
    return "is no .safetensors file; take the weights of a base model"


def read_json(key: str, path: Path) -> dict[str, Any]:
    """Return the object that a JSON file of a base holds.

    Raises:
        BaseModelError: no such file, or another kind of file.
    """
    if not path.is_file():
        raise BaseModelError(f"{key}: {path} is missing; download the model again, all of its files")
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
    except ValueError as error:
        reason = POINTER if path.read_bytes().startswith(LFS.encode()) else "is no valid JSON; download it again"
        raise BaseModelError(f"{key}: {path} {reason}") from error
    if not isinstance(values, dict):
        raise BaseModelError(f"{key}: {path} holds no JSON object; download it again")
    return values


def check_weights(key: str, name: str) -> Header:
    """Return the header of a .safetensors file that must be there and whole.

    Raises:
        BaseModelError: it is not.
    """
    if not Path(name).is_file():
        raise BaseModelError(f"{key}: {name}: no such file; write a path to a .safetensors file, or null")
    return read_header(key, Path(name))


def check_files(key: str, name: str) -> None:
    """Refuse a local folder of which a file of weights or of JSON is not whole.

    Raises:
        BaseModelError: names the file.
    """
    for path in sorted(Path(name).glob("*.safetensors")):
        read_header(key, path)
    for path in sorted(Path(name).glob("*.json")):
        read_json(key, path)


def some(names: Iterable[str], most: int = 3) -> str:
    """Return the first of some names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more
