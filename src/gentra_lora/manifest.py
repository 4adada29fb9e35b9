"""The manifest: one row a photo, from prepare to evaluate."""

import json
from dataclasses import asdict, dataclass, fields

from gentra_lora.errors import InputError

SPLITS = ("train", "held_out")


class ManifestError(InputError):
    """A manifest file does not hold valid rows."""


@dataclass(frozen=True)
class Row:
    """A photo: its file in data/processed/images, the sha256 of the photo as given, its caption and its split."""

    file_name: str
    sha256: str
    caption: str
    split: str


def write_manifest(path, rows):
    """Write rows as JSON lines, in the order given."""
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_manifest(path):
    """Return the rows of a manifest.

    Raises:
        ManifestError: a line is no row, a split is unknown, or there is no row of one of the splits.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
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


def splits_by_content(digests, held_out_share):
    """Return the split of each photo, given the sha256 of each.

    A photo is held out when its digest, as a share of the largest one, is under `held_out_share`: adding or removing
    a photo moves no other one. Where that leaves a split empty, the photo nearest to the border crosses it.
    """
    shares = [int(digest[:16], 16) / 2**64 for digest in digests]
    border = held_out_share
    if not any(share < border for share in shares):
        border = min(shares) + 2**-53
    elif all(share < border for share in shares):
        border = max(shares)
    return ["held_out" if share < border else "train" for share in shares]
