"""A folder as people have it -> its photo files by name; what else lies in it is ignored or named."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gentra_lora.errors import InputError

# What file managers and cloud drives leave behind; hidden files (".DS_Store", "._photo.jpg") are ignored as well.
LITTER = {"thumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"}
REPEATS = re.compile(r"\d+_.+")
SIDECARS = (".txt", ".caption")  # beside a photo; the second is kohya's
CAPTION_SUFFIXES = (*SIDECARS, ".jsonl", ".csv")


class FolderError(InputError):
    """There is nothing to prepare in a folder; the message names it and the way out."""


def normal(name: str) -> str:
    """Return a name in Unicode's composed form: macOS hands out decomposed ones, and both look the same."""
    return unicodedata.normalize("NFC", name)


def find_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return {name: path} of the photo files of a folder and its subfolders, and the same of its caption files.

    A name is the path within the folder, with forward slashes, in Unicode's composed form. Every file that is neither
    litter nor a caption file counts as a photo: opening it shows whether it is one.

    Raises:
        FolderError: there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder; put the photos there, or set prepare.raw_dir")
    photos: dict[str, Path] = {}
    captions: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        ignored = any(part.startswith(".") or part.casefold() in LITTER for part in parts)
        if ignored or path.is_dir():
            continue
        found = captions if path.suffix.lower() in CAPTION_SUFFIXES else photos
        name = normal("/".join(parts))
        # Linux can hold both forms of one name: the second file keeps a name, so that duplicate_stems reports it.
        found[unicodedata.normalize("NFD", name) if name in found else name] = path
    if not photos:
        raise FolderError(f"{folder}: holds no photo; put JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC files there")
    return photos, captions


def stem_of(name: str) -> str:
    """Return a name without its last ending."""
    return os.path.splitext(name)[0]


def duplicate_stems(names: Iterable[str]) -> list[str]:
    """Return a problem for each group of names that differ only in their endings, in case or in Unicode form.

    Their pictures would be written to one file, on some systems.
    """
    groups = defaultdict(list)
    for name in names:
        groups[normal(stem_of(name).casefold())].append(name)
    return [
        f"{', '.join(group)}: the same name but for ending and case (or Unicode form); rename or remove all but one"
        for group in groups.values()
        if len(group) > 1
    ]


def repeats_note(names: Iterable[str]) -> list[str]:
    """Return a line on folders that say how often their photos repeat, as "20_name" does for kohya; else nothing."""
    folders = sorted({part for name in names for part in name.split("/")[:-1] if REPEATS.fullmatch(part)})
    if not folders:
        return []
    return [f"{', '.join(folders)}: the number in front is no count of repeats here; each photo is trained on alike"]
