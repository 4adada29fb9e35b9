"""Where captions come from: captions.txt, metadata.jsonl or a .txt file beside each photo -> one caption a photo."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from gentra_lora.errors import first_line
from gentra_lora.photos.caption_lines import WRITE_ONE, nearest, read_lines, split_lines
from gentra_lora.photos.captions import Captions
from gentra_lora.photos.folder import normal, stem_of


def natural_key(name: str) -> tuple[list[list[int | str]], str]:
    """Sort key that puts img before img2 before img10, as file managers do: folder by folder, the ending last."""
    parts = [re.split(r"(\d+)", part) for part in stem_of(name).split("/")]
    return [[int(run) if run.isdecimal() else run.casefold() for run in part] for part in parts], name


def read_captions(raw_dir: Path, photo_names: Collection[str], files: Mapping[str, Path]) -> Captions:
    """Return the Captions of all photos, with all that is wrong with them.

    Exactly one source is read: `captions.txt` or `metadata.jsonl` (Hugging Face's imagefolder) in raw_dir or among the
    photos, or a .txt file beside each photo.

    Args:
        photo_names: names within raw_dir/images, see photo_folder.
        files: {name: path} of the .txt and .jsonl files within raw_dir/images.
    """
    names, stems = sorted(photo_names, key=natural_key), {stem_of(name) for name in photo_names}
    sidecars = {name: path for name, path in files.items() if name.lower().endswith(".txt") and stem_of(name) in stems}
    readers = {"captions.txt": read_lines, "metadata.jsonl": read_metadata}
    places = [folder / name for folder in (raw_dir, raw_dir / "images") for name in readers]
    found = [path for path in places if path.is_file()]
    sources = [str(path) for path in found] + (["the .txt files beside the photos"] if sidecars else [])
    if len(sources) > 1:
        captions = Captions("none", problems=[f"captions come from {' and from '.join(sources)}; keep one of them"])
    elif not sources:
        captions = Captions("none", problems=[f"{raw_dir}: holds no captions; {WRITE_ONE}"])
    elif sidecars:
        captions = read_sidecars(names, sidecars)
    else:
        captions = readers[found[0].name](found[0].read_bytes(), str(found[0]), names)
    if captions.of or not captions.problems:
        where = "a .txt file beside it" if sidecars else sources[0]
        captions.problems += [
            f"{name}: has no caption; write it into {where}" for name in names if name not in captions.of
        ]
    read = {*sidecars.values(), *found}
    captions.problems += [
        f"{name}: belongs to no photo and is not read; remove it" for name, path in files.items() if path not in read
    ]
    return captions


def read_metadata(data: bytes, source: str, names: Sequence[str]) -> Captions:
    """Return the Captions of a metadata.jsonl: on each line an object with `file_name` and `text` (or `caption`)."""
    captions = Captions("metadata.jsonl")
    lines, problem = split_lines(data, source)
    captions.problems += [problem] if problem else []
    for number, line in lines:
        place = f"{source}: line {number}"
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            captions.problems.append(f"{place} is no JSON ({first_line(error)}): {line!r}; correct it")
            continue
        values = values if isinstance(values, dict) else {}
        name, texts = values.get("file_name"), [values[key] for key in ("text", "caption") if key in values]
        if not isinstance(name, str) or len(texts) != 1:
            captions.problems.append(f"{place} needs file_name, and either text or caption: {line!r}; correct it")
            continue
        name = normal(name) if normal(name) in names else normal(name).removeprefix("images/")
        if name not in names:
            captions.problems.append(f"{place}: no photo is called {name!r}{nearest(name, names)}; correct it")
        elif not isinstance(texts[0], str):
            captions.problems.append(f"{place}: the text is {texts[0]!r}, no string; correct it")
        else:
            captions.add(name, texts[0].strip(" "), place)
    return captions


def read_sidecars(names: Sequence[str], sidecars: Mapping[str, Path]) -> Captions:
    """Return the Captions of {name: path}: .txt files that are called as photos are."""
    captions, by_stem = Captions("a .txt file beside each photo"), {stem_of(name): name for name in names}
    for sidecar, path in sidecars.items():
        name = by_stem[stem_of(sidecar)]
        lines, problem = split_lines(path.read_bytes(), sidecar)
        if not problem and len(lines) > 1:
            problem = f"{sidecar}: holds {len(lines)} lines; write the caption on one"
        if problem:
            captions.of[name] = ""
            captions.problems.append(problem)
        else:
            captions.add(name, "".join(line for _, line in lines).strip(" "), sidecar)
    return captions
