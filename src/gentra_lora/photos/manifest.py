"""The manifest: one row a photo, from prepare to evaluate."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gentra_lora.errors import InputError
from gentra_lora.whole_file import json_text

SPLITS = ("train", "held_out")


class ManifestError(InputError):
    """A manifest file does not hold valid rows."""


@dataclass(frozen=True)
class Row:
    """A photo: its file in data/processed/images, the sha256 of the photo as given, its caption and its split.

    width and height, in px, are those at which it is trained; the file is larger, so that crops can be cut from it.
    mask_sha256 is of its file in data/processed/masks, where it has one.
    """

    file_name: str
    sha256: str
    caption: str
    split: str
    width: int
    height: int
    mask_sha256: str | None = None


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON lines, in the order given."""
    lines = [json_text(asdict(row)) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_manifest(path: Path) -> list[Row]:
    """Return the rows of a manifest.

    Raises:
        ManifestError: a line is no row, a split is unknown, or there is no row of one of the splits.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), 1):
        values = json.loads(line)
        if not isinstance(values, dict) or set(values) != {field.name for field in fields(Row)}:
            raise ManifestError(f"{path}: line {number} is not a row; run prepare again")
        row = Row(**values)
        if row.split not in SPLITS:
            raise ManifestError(f"{path}: line {number}: split is {row.split!r}, must be one of {', '.join(SPLITS)}")
        rows.append(row)
    for split in SPLITS:
        if not any(row.split == split for row in rows):
            raise ManifestError(f"{path}: no photo is in the split {split}; add photos and run prepare again")
    return rows
