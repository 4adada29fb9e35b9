"""A folder as people have it -> its photo files by name; what else lies in it is ignored or named."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from gentra_lora.errors import InputError
from gentra_lora.photos.companions import is_companion

# What file managers and cloud drives leave behind; hidden files (".DS_Store", "._photo.jpg") are ignored as well.
LITTER = {"thumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"}
REPEATS = re.compile(r"\d+_.+")
SIDECARS = (".txt", ".caption")  # beside a photo; the second is kohya's
CAPTION_SUFFIXES = (*SIDECARS, ".jsonl", ".csv")
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif")


class FolderError(InputError):
    """There is nothing to prepare in a folder; the message names it and the way out."""


def normal(name: str) -> str:
    """Return a name in Unicode's composed form: macOS hands out decomposed ones, and both look the same."""
    return unicodedata.normalize("NFC", name)


def find_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return {name: path} of the photo files of a folder and its subfolders, and the same of its caption files.

    A name is the path within the folder, with forward slashes, in Unicode's composed form. Links are followed. Every
    file that is neither litter nor a caption file nor a photo's companion counts as a photo: opening it shows whether
    it is one.

    Raises:
        FolderError: there is no such folder, no photo in it, a link that leads in a circle, a name that is not UTF-8 or
            that no caption could be matched with, or something that is neither file nor folder.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder; put the photos there, or set prepare.raw_dir")
    photos: dict[str, Path] = {}
    captions: dict[str, Path] = {}
    for path in _photos_and_captions(folder)[0]:
        found = captions if path.suffix.lower() in CAPTION_SUFFIXES else photos
        name = normal(path.relative_to(folder).as_posix())
        # Linux can hold both forms of one name: the second file keeps a name, so that duplicate_stems reports it.
        found[unicodedata.normalize("NFD", name) if name in found else name] = path
    if not photos:
        raise FolderError(f"{folder}: holds no photo; put JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC files there")
    return photos, captions


def notes_on(folder: Path) -> list[str]:
    """Return what a person should know of a folder that find_files has read: links, and what was left aside."""
    links = [folder, *(path for path in _walk(folder) if path.is_dir())]
    notes = [
        f"{path} is a link to {path.readlink()}: its photos are used, but DVC does not look behind links; when they "
        "change, run `dvc repro -f prepare`, or copy them here"
        for path in links
        if path.is_symlink()
    ]
    companions = Counter(path.suffix.lower() for path in _photos_and_captions(folder)[1])
    if companions:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(companions.items()))
        notes.append(f"left aside, as companions of photos: {counts}")
    return notes


def _photos_and_captions(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files that are photos or captions, and the companions."""
    files = sorted(path for path in _walk(folder) if not path.is_dir())
    photos = {path.with_suffix("") for path in files if path.suffix.lower() in PHOTO_SUFFIXES}
    companions = {path for path in files if is_companion(path, photos)}
    return [path for path in files if path not in companions], sorted(companions)


def _walk(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Yield all files and folders inside a folder but for litter, links followed."""
    above = (*above, folder.resolve())
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.casefold() in LITTER:
            continue
        _refuse_by_name(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            raise FolderError(f"{path}: is neither a file nor a folder (a pipe or a device); remove it")
        yield path
        if path.is_dir():
            if path.resolve() in above:
                raise FolderError(f"{path}: is a link to a folder that it lies in, {path.readlink()}; remove it")
            yield from _walk(path, above)


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders but for litter, links followed."""
    return (path for path in _walk(folder) if not path.is_dir())


def _refuse_by_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        byte = os.fsencode(error.object[error.start])[0]
        raise FolderError(
            f"{shown}: the name holds the byte 0x{byte:02X}, which is no UTF-8 (names out of a ZIP file of Windows are "
            "often not); rename it"
        ) from error
    if path.name != path.name.strip():
        raise FolderError(f"{path.parent}: {path.name!r} begins or ends with a space, which captions cannot; rename it")
    if path.is_dir() and path.suffix.lower() in PHOTO_SUFFIXES:
        raise FolderError(f"{path}: is a folder, and is called like a photo; rename it, or remove it if it is empty")


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
