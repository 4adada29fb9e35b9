"""Photos into the set one by one, with all that is wrong with any of them; what the whole set amounts to."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gentra_lora.errors import InputError, listed
from gentra_lora.photos.alike.duplicates import Looks, looks_of
from gentra_lora.photos.alike.groups import groups_of
from gentra_lora.photos.captions import has_trigger, lost_words, with_trigger
from gentra_lora.photos.crops import Size, enlargement, shrink, size_of
from gentra_lora.photos.folder import stem_of
from gentra_lora.photos.photo import SUFFIXES, PhotoError, open_photo, sha256_of

if TYPE_CHECKING:  # seconds to import, and the caller has done it
    from transformers import CLIPTokenizer

LONGEST_NAME = 255  # bytes, on all common file systems
LITTLE_SEEN = 0.5  # of a photo; those of phones and cameras have 0.56 and more
HEADROOM = 1.5  # of the size that is trained at: what the crop variants may cut from without being enlarged


class DatasetError(InputError):
    """Photos or captions cannot be used; the message lists every problem with its way out."""

    def __init__(self, raw_dir: Path, problems: Sequence[str]) -> None:
        lines = [f"{raw_dir}: {listed(len(problems), 'problem')}; nothing was changed", *problems]
        super().__init__("\n  ".join(lines))


@dataclass(frozen=True)
class Prepared:
    """A photo that is in: its name as given, its new file, and what later decisions need."""

    name: str
    file_name: str
    sha256: str
    size: Size  # at which it is trained, px
    looks: Looks
    notes: tuple[str, ...]
    doubts: tuple[str, ...]  # of its being whole; a person should look at it


def prepare_photo(path: Path, name: str, folder: Path, resolution: int, aspect: str) -> Prepared:
    """Write a photo as a PNG into `folder`, upright, in sRGB, scaled to what crops are cut from; return the Prepared.

    Raises:
        PhotoError: it cannot be opened, or would have to be enlarged.
    """

    def least(photo_size: Size) -> Size:
        width, height = size_of(photo_size, resolution, aspect)
        return math.ceil(HEADROOM * width), math.ceil(HEADROOM * height)

    photo = open_photo(path, name, least)
    width, height = size = size_of(photo.image.size, resolution, aspect)
    if enlargement(photo.image.size, size) > 1:
        raise PhotoError(
            f"{name}: is {photo.image.width} x {photo.image.height} px, need at least {width} x {height}; "
            "remove the photo or lower prepare.resolution"
        )
    file_name = f"{stem_of(name)}.png"
    if max(len(part.encode()) for part in file_name.split("/")) > LONGEST_NAME:
        raise PhotoError(f"{name}: the name is too long (with .png at its end, over {LONGEST_NAME} bytes); shorten it")
    target = folder / file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    image = shrink(photo.image, size, HEADROOM)
    image.save(target)
    notes = [f"{name}: {note}" for note in photo.notes]
    seen = min(photo.image.size) / max(photo.image.size)
    if aspect == "square" and seen < LITTLE_SEEN:
        shape = f"{photo.image.width} x {photo.image.height} px"
        notes.append(f"{name}: is {shape}, of which a square sees {seen:.0%}; prepare.aspect: buckets sees more")
    if not name.lower().endswith(SUFFIXES[photo.format]):
        notes.append(f"{name}: is a {photo.format} file, whatever its name says")
    return Prepared(name, file_name, sha256_of(path), size, looks_of(image), tuple(notes), photo.doubts)


def prepare_photos(
    photos: Iterable[tuple[str, Path]], folder: Path, resolution: int, aspect: str
) -> tuple[list[Prepared], list[str]]:
    """Return (those that are in, problems) of (name, path) pairs, the same photo under two names included."""
    prepared: list[Prepared] = []
    problems: list[str] = []
    names: dict[str, list[str]] = defaultdict(list)
    for name, path in photos:
        try:
            prepared.append(prepare_photo(path, name, folder, resolution, aspect))
        except PhotoError as error:
            problems.append(str(error))
        else:
            names[prepared[-1].sha256].append(name)
    repeated = [same for same in names.values() if len(same) > 1]
    problems += [f"{', '.join(same)}: the same photo {len(same)} times; remove all but one" for same in repeated]
    return prepared, problems


@dataclass
class FinalCaptions:
    """{photo name: caption} as trained on, with the trigger word; problems, notes, and counts of both."""

    of: dict[str, str]
    problems: list[str]
    notes: list[str]
    counts: dict[str, int]


def final_captions(
    captions: Mapping[str, str], trigger_word: str, add_trigger: bool, tokenizer: CLIPTokenizer, allow_long: bool
) -> FinalCaptions:
    """Return the FinalCaptions of {photo name: caption}.

    Args:
        add_trigger: put a missing trigger word in front; else it is a problem.
        allow_long: words beyond the tokenizer's limit are a note; else a problem.
    """
    final = FinalCaptions({}, [], [], {"trigger_words_added": 0, "captions_cut": 0})
    for name, caption in captions.items():
        final.of[name] = with_trigger(caption, trigger_word)
        if not caption.strip():
            continue  # a problem already; a trigger word would not mend it
        if not has_trigger(caption, trigger_word):
            final.counts["trigger_words_added"] += 1
            if not add_trigger:
                final.problems.append(
                    f"{name}: the caption {caption!r} lacks the trigger word {trigger_word!r}; put it in"
                )
        lost = lost_words(final.of[name], tokenizer)
        if lost:
            final.counts["captions_cut"] += 1
            seen = f"{name}: the caption is too long, the text encoder does not see {lost!r}"
            (final.notes if allow_long else final.problems).append(seen if allow_long else f"{seen}; shorten it")
    return final


def keys_and_groups(
    prepared: Sequence[Prepared], pairs: Sequence[tuple[int, int]], split_by: str
) -> tuple[list[str], list[set[int]]]:
    """Return what splits are decided by: a key for each photo, and the sets of photos that stay together.

    Args:
        pairs: near-duplicates, as photo numbers.
        split_by: "photo", or "shoot" for the subfolders of images/; a photo in none of them is a shoot of its own.
    """
    keys = [photo.sha256 for photo in prepared]
    first: dict[str, int] = {}  # photo of each shoot
    if split_by == "shoot":
        for number, photo in enumerate(prepared):
            shoot = photo.name.rpartition("/")[0]
            if shoot:
                keys[number] = shoot
                pairs = [*pairs, (first.setdefault(shoot, number), number)]
    return keys, groups_of(len(keys), pairs)
