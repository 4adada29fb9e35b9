"""A finished adapter that a training goes on from: named with its hash, and checked against what is to be trained."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from gentra_lora.adapter.file import Tensors, module_names, read_adapter
from gentra_lora.adapter.lora import AdapterError, LoraModule
from gentra_lora.errors import first_line
from gentra_lora.git import git
from gentra_lora.whole_file import write_whole

KEY = "train.start_from"


@dataclass(frozen=True)
class Start:
    """An adapter to go on from."""

    label: str  # as params.yaml has it
    sha256: str  # of the file's bytes
    tensors: Tensors
    header: Mapping[str, str]


def read_start(value: str, weights: Path, kept: Path) -> Start:
    """Return the adapter that FILE@SHA256 or a full commit names; DVC sees a change of either, not of a file alone.

    Args:
        weights: what a training writes, and what is taken of a commit. A copy of it stays in the folder `kept`, since
            the training that goes on from it puts another in its place.

    Raises:
        AdapterError: no such file, another hash, not an adapter, or a name that says another thing tomorrow; it has
            the value to write.
    """
    file, _, digest = value.rpartition("@")
    if re.fullmatch("[0-9a-f]{64}", digest):
        path = _of_file(Path(file), digest, weights, kept)
    elif Path(value).is_file():
        raise AdapterError(f"{KEY}: {value} says no hash; write {value}@{_sha256(Path(value))}")
    else:
        path = _of_commit(value, weights, kept)
    try:
        return Start(value, _sha256(path), *read_adapter(path))
    except AdapterError as error:
        raise AdapterError(f"{KEY}: {value}: {error}") from error


def _of_file(path: Path, digest: str, weights: Path, kept: Path) -> Path:
    copy, found = kept / f"{digest}.safetensors", _sha256(path) if path.is_file() else None
    if found == digest:
        if path.resolve() == weights.resolve():
            _put(path.read_bytes(), copy)
            return copy
        return path
    if copy.is_file():
        return copy
    if found is None:
        raise AdapterError(f"{KEY}: {path}: no such file; name one, or the commit whose dvc.lock has it")
    raise AdapterError(f"{KEY}: {path} is another file by now; if that is the one, write {path}@{found}")


def _of_commit(value: str, weights: Path, kept: Path) -> Path:
    commit = git("rev-parse", "--verify", "--quiet", f"{value}^{{commit}}")
    if not commit:
        raise AdapterError(f"{KEY}: {value} is neither a file nor a commit here; write FILE@SHA256 or a full commit")
    if commit != value:
        raise AdapterError(f"{KEY}: {value} names another commit after the next one; write {commit}")
    lock = yaml.safe_load(git("show", f"{commit}:./dvc.lock")) or {}
    outs = [out for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])]
    md5 = next((out["md5"] for out in outs if out["path"] == weights.as_posix()), None)
    if md5 is None:
        raise AdapterError(f"{KEY}: commit {commit[:12]} has no {weights} in its dvc.lock; name one that was trained")
    copy = kept / f"{md5}.safetensors"
    if not copy.is_file():
        _put(_fetched(commit, weights, md5), copy)
    return copy


def _fetched(commit: str, weights: Path, md5: str) -> bytes:
    """Return the bytes of the weights at a commit, of DVC's cache or of its remote."""
    from dvc.repo import Repo  # a second, which a training from nothing does without

    way_out = f"`gentra-lora weights pull --rev {commit} --dest FOLDER`, where no remote is set up with `--remote`, "
    way_out += "then name the file there with its hash"
    try:
        with Repo(".", rev=commit) as repo:
            content = bytes(repo.dvcfs.cat_file(weights.as_posix()))
    except Exception as error:  # each kind of remote has errors of its own
        raise AdapterError(f"{KEY}: commit {commit[:12]}: no weights here ({first_line(error)}); {way_out}") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise AdapterError(f"{KEY}: commit {commit[:12]}: the cache holds other bytes than its dvc.lock; {way_out}")
    return content


def _put(content: bytes, path: Path) -> None:
    """Write a file whose name says its content; several processes may do so at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f"{path.name}.{os.getpid()}")
    write_whole(own, lambda partial: partial.write_bytes(content))
    own.replace(path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_start(start: Start, *, base: str, rank: int, lora_alpha: float, target_modules: str) -> None:
    """Refuse an adapter that is not of the shape, or not of the base, that is to be trained; see `start_modules`.

    Args:
        base: its identity, see base/source.py. A file of another program does not say its own.

    Raises:
        AdapterError: it names the parameter to change.
    """
    header, names = start.header, module_names(start.tensors)
    found = {
        "rank": _other_than(rank, [start.tensors[f"{name}.lora_down.weight"].shape[0] for name in names]),
        "lora_alpha": _other_than(float(lora_alpha), [float(start.tensors[f"{name}.alpha"]) for name in names]),
        "target_modules": _target_modules(start) or target_modules,
    }
    wanted = {"rank": rank, "lora_alpha": float(lora_alpha), "target_modules": target_modules}
    if header.get("gentra.base", base) != base:
        raise AdapterError(f"{KEY}: {start.label} is for the base {header['gentra.base']}, and base.model is {base}")
    for key, value in wanted.items():
        if found[key] != value:
            raise AdapterError(
                f"{KEY}: {start.label} has {key} {found[key]}, train.{key} is {value}; set it to {found[key]}"
            )


def _target_modules(start: Start) -> str | None:
    """Return what a file's header says was trained, or None where another program wrote it."""
    text = start.header.get("gentra.train_params", "{}")
    try:
        trained = json.loads(text)
    except ValueError:
        trained = None
    if not isinstance(trained, dict):
        raise AdapterError(
            f"{KEY}: {start.label}: gentra.train_params in its header is {text[:60]!r}, not the JSON that a training "
            "writes; name a file whose header is as it was, or one without it"
        )
    return trained.get("target_modules")


def _other_than(wanted: float, found: Sequence[float]) -> float:
    """Return the first value that is not the wanted one, or the wanted one: other programs mix them within a file."""
    return next((value for value in found if value != wanted), wanted)


def start_modules(start: Start, modules: Mapping[str, LoraModule]) -> dict[str, LoraModule]:
    """Return the factors to go on from, by the module paths of the attached adapter.

    Raises:
        AdapterError: a module is missing or too many, or of another shape.
    """
    keys = {f"lora_unet_{name.replace('.', '_')}": name for name in modules}
    if stray := sorted({*module_names(start.tensors)} ^ keys.keys()):
        raise AdapterError(
            f"{KEY}: {start.label} and train.target_modules are not of the same {len(stray)} modules, such as "
            f"{stray[0]}; set train.target_modules, and base.model, to what it was trained with"
        )
    found = {}
    for key, name in keys.items():
        factors = LoraModule(*(start.tensors[f"{key}.lora_{part}.weight"].float() for part in ("down", "up")))
        shapes = [(of.down.shape, of.up.shape) for of in (factors, modules[name])]
        if shapes[0] != shapes[1]:
            down, up = (tuple(shape) for shape in shapes[0])
            raise AdapterError(f"{KEY}: {start.label}: {key} has factors {down} and {up}, of another base or rank")
        found[name] = factors
    return found
