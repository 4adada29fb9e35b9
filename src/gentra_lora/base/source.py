"""Which base model: what params.yaml says of it, a name for exactly it, and the error of every fault. Without torch."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gentra_lora.errors import InputError, first_line

Loaded = TypeVar("Loaded")
PREDICTION_TYPES = ("epsilon", "v_prediction")  # "sample" is of models that draw the picture itself


class BaseModelError(InputError):
    """The base cannot be used; the message names the key of params.yaml, its value and the way out."""


@dataclass(frozen=True)
class BaseSource:
    """Where the base comes from.

    A separate `vae` replaces the base's own (for the "noVAE" checkpoints); `prediction_type`, "epsilon" or
    "v_prediction", replaces what the base's configuration says.
    """

    model: str
    revision: str | None = None
    vae: str | None = None
    vae_revision: str | None = None
    mixed_precision: str = "auto"
    prediction_type: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether the base is a single file in the original layout."""
        return Path(self.model).is_file()


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


def guarded(key: str, name: str, load: Callable[..., Loaded], *args: object, **kwargs: object) -> Loaded:
    """Return load(...); what goes wrong becomes a BaseModelError that names the key of params.yaml and its value."""
    try:
        return load(*args, **kwargs)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # of damaged files the libraries raise whatever they stumble over
        raise BaseModelError(f"{key}: {name} cannot be loaded: {first_line(error)}") from error


def base_identity(source: BaseSource) -> str:
    """Return a name for the exact weights: id@revision, or for local files a sha256 over their names and bytes.

    A prediction type that replaces the base's own belongs to it: the same weights then mean something else.
    """
    parts = [_identity(source.model, source.revision)]
    if source.vae is not None:
        parts.append(_identity(source.vae, source.vae_revision))
    if source.prediction_type is not None:
        parts.append(source.prediction_type)
    return " + ".join(parts)


def prediction_type_in(identity: str) -> str | None:
    """Return the prediction type that replaced the base's own, as `base_identity` wrote it."""
    return next((part for part in identity.split(" + ") if part in PREDICTION_TYPES), None)


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
