"""The weights that are served, proven to be a revision's, and what is known of them."""

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import torch

from gentra_lora.adapter.file import check_effect, read_adapter
from gentra_lora.adapter.hashes import model_hash
from gentra_lora.base.checks import check_base
from gentra_lora.base.source import BaseSource, base_identity, prediction_type_in
from gentra_lora.errors import InputError
from gentra_lora.evaluation.scored_run import Metrics
from gentra_lora.revisions.examples import numbers_beside
from gentra_lora.revisions.weights import Weights, pull_weights, read_record
from gentra_lora.service.settings import ServiceSettings

PULLING = threading.Lock()  # one at a time: DVC removes its clones of all repositories at the end of each
STEPS, GUIDANCE_SCALE = 25, 7.5  # of SD 1.5, where a file comes without its params.yaml


class RevisionError(InputError):
    """Weights that must not be served; the message says why."""


class File(TypedDict):
    """The weights' file."""

    name: str
    md5: str
    sha256: str
    size: int


class Defaults(TypedDict):
    """What a request is given that does not say it."""

    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    lora_scale: float
    strength: float


@dataclass(frozen=True)
class Revision:
    """An adapter's tensors with where they came from."""

    rev: str | None
    commit: str | None
    repo: str | None
    trained_at: str | None  # the commit that it was trained by, as the file itself says
    file: File
    base: str  # base_identity of what it was trained on
    trigger_word: str
    alias: str  # by which A1111 calls the adapter
    model_hash: str  # by which it finds the file
    metrics: Metrics
    metrics_fault: str | None  # why the commit's metrics are not of these weights
    defaults: Defaults
    source: BaseSource
    tensors: dict[str, torch.Tensor] = field(repr=False)


def find_revision(settings: ServiceSettings, rev: str | None = None) -> Revision:
    """Return the revision that the settings ask for, or another `rev` of the same repository.

    Raises:
        RevisionError: a file that lacks what it must say of itself, or belongs to another base.
        InputError: it cannot be had, is not what its dvc.lock says, or is no sound adapter.
    """
    if settings.weights and rev:
        raise RevisionError("the service was started with --weights and has no other revisions; start it with --repo")
    weights: Weights | None
    if settings.weights:
        path, weights = settings.weights, read_record(settings.weights)
    else:
        rev = rev or settings.rev
        folder = settings.weights_dir / (re.sub(r"[^\w.@-]+", "_", rev or "HEAD").strip(".") or "_")
        with PULLING:
            weights = pull_weights(settings.repo, rev, folder, settings.remote, settings.credentials)
        path = folder / weights.file
    tensors, header = read_adapter(path)
    check_effect(tensors)
    content = path.read_bytes()
    md5, sha256 = (hashlib.new(name, content).hexdigest() for name in ("md5", "sha256"))
    if weights and md5 != weights.md5:
        raise RevisionError(f"{path}: is not what {weights.commit[:12]} says (md5 {weights.md5}); pull it again")
    base = header.get("gentra.base")
    if not base:
        raise RevisionError(f"{path}: does not say which base it was trained on; serve a file that `train` wrote")
    return Revision(
        rev=weights.rev if weights else None,
        commit=weights.commit if weights else None,
        repo=_name_of(weights.repo) if weights else None,
        trained_at=_commit(header.get("gentra.git_revision", "")),
        file={"name": path.name, "md5": md5, "sha256": sha256, "size": len(content)},
        base=base,
        trigger_word=header.get("modelspec.trigger_phrase", ""),
        alias=header.get("ss_output_name", ""),
        model_hash=model_hash(content),
        metrics=weights.metrics if weights else {},
        metrics_fault=weights.metrics_fault if weights else None,
        defaults=_defaults(header, weights.params.get("evaluate", {}) if weights else numbers_beside(path, sha256)),
        source=_source(settings, weights.base if weights else {}, base, path),
        tensors=tensors,
    )


def _commit(text: str) -> str | None:
    return text if re.fullmatch("[0-9a-f]{40}", text) else None


def _name_of(repo: str) -> str:
    path = Path(repo.removeprefix("file://"))
    return path.name if path.is_absolute() else repo


def _defaults(header: Mapping[str, str], evaluated: Mapping[str, Any]) -> Defaults:
    """Return the defaults: as the weights were evaluated, where that is known."""
    width, height = (int(side) for side in header.get("modelspec.resolution", "512x512").split("x"))
    return {
        "width": width,
        "height": height,
        "num_inference_steps": evaluated.get("num_inference_steps", STEPS),
        "guidance_scale": float(evaluated.get("guidance_scale", GUIDANCE_SCALE)),
        "lora_scale": 1.0,
        "strength": 0.5,
    }


def _source(settings: ServiceSettings, base: dict[str, Any], identity: str, path: Path) -> BaseSource:
    if settings.base:
        # What its weights predict is no matter of where they lie.
        return BaseSource(settings.base, settings.base_revision, prediction_type=prediction_type_in(identity))
    if not base:
        raise RevisionError(
            f"{path}: comes without the parameters of its training; name the base that it was trained on (--base)"
        )
    source = BaseSource(**base)
    local = Path(settings.repo) / source.model
    if not Path(source.model).exists() and local.exists():
        return BaseSource(**base | {"model": str(local)})
    return source


def adapter_of(revision: Revision) -> str:
    """Return the name by which a prompt calls the adapter: its file's."""
    return Path(revision.file["name"]).stem


def check_limits(revision: Revision, settings: ServiceSettings) -> None:
    """Refuse settings under which a request that says no size would be refused.

    Raises:
        RevisionError: the trained size is beyond a limit.
    """
    width, height = revision.defaults["width"], revision.defaults["height"]
    if max(width, height) > settings.max_side or width * height > settings.max_pixels:
        raise RevisionError(
            f"max_side is {settings.max_side} and max_pixels {settings.max_pixels}, and the adapter was trained at "
            f"{width} x {height}; raise them"
        )


def check_source(revision: Revision, allow_other_base: bool) -> str:
    """Return the identity of the base that is to be loaded, and refuse one that the adapter was not trained on.

    Raises:
        RevisionError: another base.
        BaseModelError: none that can be loaded.
    """
    check_base(revision.source)
    identity = base_identity(revision.source)
    check_same_base(revision, identity, allow_other_base)
    return identity


def check_same_base(revision: Revision, identity: str, allow_other_base: bool) -> None:
    """Refuse an adapter of another base than the one of `identity`; see `check_source`."""
    if not (allow_other_base or same_base(identity, revision.base)):
        raise RevisionError(
            f"the adapter was trained on {revision.base}, and the base here is {identity}; name that base (--base), or "
            f"say --allow-other-base"
        )


def same_base(one: str, other: str) -> bool:
    """Return whether two identities are of the same weights, wherever local ones lie."""
    return _digests(one) == _digests(other)


def _digests(identity: str) -> list[str]:
    """Return what identifies a base: of local files their hash alone, since folders may be called anything."""
    return [part.split("@")[1] if "@sha256:" in part else part for part in identity.split(" + ")]


def described(revision: Revision) -> dict[str, object]:
    """Return a revision as the values of its answer, without tensors."""
    return {
        "revision": {
            "rev": revision.rev,
            "commit": revision.commit,
            "repo": revision.repo,
            "trained_at": revision.trained_at,
        },
        "file": revision.file,
        "base": revision.base,
        "trigger_word": revision.trigger_word,
        "metrics": revision.metrics,
        "metrics_fault": revision.metrics_fault,
        "defaults": revision.defaults,
    }
