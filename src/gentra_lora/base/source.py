"""Which base model: what params.yaml says of it, checked, and a name for its exact weights. Without torch."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from gentra_lora.errors import InputError


class BaseModelError(InputError):
    """The base cannot be used; the message names the key of params.yaml, its value and the way out."""


@dataclass(frozen=True)
class BaseSource:
    """Where the base comes from. A separate `vae` replaces the base's own (for the "noVAE" checkpoints)."""

    model: str
    revision: str | None = None
    vae: str | None = None
    vae_revision: str | None = None
    mixed_precision: str = "auto"


def check_pinned(key: str, name: str, revision: str | None) -> None:
    """Accept a local path without a revision, or a hub id with a full commit hash.

    Raises:
        BaseModelError: neither.
    """
    if Path(name).exists():
        if revision is not None:
            raise BaseModelError(f"{key}: {name} is a local path and has no revision; set its revision to null")
        return
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise BaseModelError(f"{key}: {name} is neither a path that exists nor a hub id (owner/name)")
    if not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        raise BaseModelError(
            f"{key}: {name} is no path that exists; as a hub id it needs its revision, a full commit hash of 40 "
            f"hexadecimal digits, not {revision!r}: without it the weights may change under you"
        )


def check_base(source: BaseSource) -> None:
    """Refuse a base that cannot be one, before anything is loaded.

    Raises:
        BaseModelError: not pinned, or a local folder that is no Stable Diffusion 1.x pipeline.
    """
    check_pinned("base.model", source.model, source.revision)
    if source.vae is not None:
        check_pinned("base.vae", source.vae, source.vae_revision)
    elif source.vae_revision is not None:
        raise BaseModelError(f"base.vae_revision: is {source.vae_revision}, but base.vae is null")
    folder = Path(source.model)
    if folder.is_dir():
        index = folder / "model_index.json"
        if not index.exists():
            raise BaseModelError(f"base.model: {folder} holds no model_index.json; it must be a diffusers pipeline")
        kind = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
        if kind != "StableDiffusionPipeline":
            raise BaseModelError(
                f"base.model: {folder} is a {kind}; only Stable Diffusion 1.x pipelines can learn here"
            )


def base_identity(source: BaseSource) -> str:
    """Return a name for the exact weights: id@revision, or for local files a sha256 over their names and bytes."""
    parts = [_identity(source.model, source.revision)]
    if source.vae is not None:
        parts.append(_identity(source.vae, source.vae_revision))
    return " + ".join(parts)


def _identity(name: str, revision: str | None) -> str:
    path = Path(name)
    if not path.exists():
        return f"{name}@{revision}"
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return f"{path.name}@sha256:{digest.hexdigest()}"
