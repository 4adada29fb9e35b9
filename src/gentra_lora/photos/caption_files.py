"""Where captions come from: one list of them, or a text file beside each photo -> one caption a photo."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from gentra_lora.errors import listed
from gentra_lora.photos.caption_lines import WRITE_ONE, read_lines
from gentra_lora.photos.caption_table import read_metadata
from gentra_lora.photos.captions import Captions, split_lines
from gentra_lora.photos.folder import SIDECARS, stem_of
from gentra_lora.photos.names import WrittenNames, key_of

LISTS = {"captions.txt": read_lines, "captions.csv": read_lines, "metadata.csv": read_lines}
LISTS |= {"metadata.jsonl": read_metadata}
MAY_BE_LISTS = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".caption", ".xlsx", ".ods", ".docx")
MAY_BEGIN_LISTS = ("caption", "metadata")  # metadata.json1, with a one for an l


def natural_key(name: str) -> tuple[list[list[int | str]], str]:
    """Sort key that puts img before img2 before img10, as file managers do: folder by folder, the ending last."""
    parts = [re.split(r"(\d+)", part) for part in stem_of(name).split("/")]
    return [[int(run) if run.isdecimal() else run.casefold() for run in part] for part in parts], name


def read_captions(raw_dir: Path, photo_names: Collection[str], files: Mapping[str, Path]) -> Captions:
    """Return the Captions of all photos, with all that is wrong with them.

    Exactly one source is read: one of LISTS in raw_dir or among the photos, or a file beside each photo, called as the
    photo is, with or without its ending, in any case.

    Args:
        photo_names: names within raw_dir/images, see photo_folder.
        files: {name: path} of the files within raw_dir/images that may hold captions.
    """
    names = sorted(photo_names, key=natural_key)
    beside = _owners([name for name in files if name.lower().endswith(SIDECARS)], names)
    found = [path for folder in (raw_dir, raw_dir / "images") for path in _lists(folder)]
    endings = " or ".join(sorted({Path(name).suffix.lower() for name in beside}))
    sources = [str(path) for path in found] + ([f"the {endings} files beside the photos"] if beside else [])
    if len(sources) > 1:
        captions = Captions("none", problems=[f"captions come from {' and from '.join(sources)}; keep one of them"])
    elif not sources:
        captions = Captions("none", problems=[_no_source(raw_dir)])
    elif beside:
        captions = read_sidecars(f"a {endings} file beside each photo", files, beside)
    else:
        captions = LISTS[found[0].name.casefold()](found[0].read_bytes(), str(found[0]), names)
    lacking = [name for name in names if name not in captions.of]
    if captions.of or not captions.problems:
        where = "a .txt file beside it" if beside else sources[0]
        captions.problems += [f"{name}: has no caption; write it into {where}" for name in lacking]
    read = {*(files[name] for name in beside), *found}
    captions.problems += [_stray(name, lacking) for name, path in files.items() if path not in read]
    return captions


def _lists(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.casefold() in LISTS and path.is_file())


def _no_source(raw_dir: Path) -> str:
    names = sorted(path.name for path in raw_dir.iterdir() if path.is_file())
    near = [name for name in names if name.lower().endswith(MAY_BE_LISTS) or name.lower().startswith(MAY_BEGIN_LISTS)]
    unread = f" ({', '.join(near)} is none of {', '.join(LISTS)})" if near else ""
    return f"{raw_dir}: holds no captions{unread}; {WRITE_ONE}"


def _owners(sidecars: Iterable[str], names: Sequence[str]) -> dict[str, list[str]]:
    """Return {file: the photos that it may be the caption of}: those called as it is, with or without their ending."""
    called: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for key in {key_of(name), key_of(stem_of(name))}:
            called[key].append(name)
    return {name: found for name in sidecars if (found := called.get(key_of(stem_of(name))))}


def _stray(name: str, lacking: Sequence[str]) -> str:
    """Return the problem of a caption file that is called as no photo is; its own may be one that lacks a caption."""
    stems = {stem_of(photo): photo for photo in lacking}
    near = WrittenNames(stems).nearest(stem_of(name)) if name.lower().endswith(SIDECARS) else None
    seems = f"call it {near + Path(name).suffix!r} if it is the caption of {stems[near]}, or " if near else ""
    return f"{name}: belongs to no photo and is not read; {seems}remove it"


def read_sidecars(form: str, files: Mapping[str, Path], owners: Mapping[str, Sequence[str]]) -> Captions:
    """Return the Captions of the files, {name: path}, that have `owners`: {name: the photos it may belong to}."""
    captions = Captions(form)
    texts: dict[str, dict[str, str]] = defaultdict(dict)  # {photo: {file: caption}}
    for sidecar, photos in owners.items():
        lines, problem = split_lines(files[sidecar].read_bytes(), sidecar)
        if not problem and len(lines) > 1:
            problem = f"{sidecar}: holds {len(lines)} lines; write the caption on one"
        if not problem and len(photos) > 1:
            problem = f"{sidecar}: may be the caption of {' and of '.join(photos)}; rename one of the photos"
        if problem:
            captions.of |= dict.fromkeys(photos, "")
            captions.problems.append(problem)
        else:
            texts[photos[0]][sidecar] = "".join(line for _, line in lines).strip(" ")
    differing = {name: list(found) for name, found in texts.items() if len({*found.values()}) > 1}
    if differing:
        name, both = next(iter(differing.items()))
        more = f" (and so of {listed(len(differing) - 1, 'more photo')})" if len(differing) > 1 else ""
        captions.problems.append(f"{' and '.join(both)} hold different captions of {name}{more}; keep one of them")
    for name, found in texts.items():
        if name in differing:
            captions.of.setdefault(name, "")
        elif name not in captions.of:
            captions.add(name, next(iter(found.values())), next(iter(found)))
    return captions
