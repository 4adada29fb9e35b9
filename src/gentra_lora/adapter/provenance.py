"""Where an adapter came from, as strings for its header: what trained it, on what, with which versions."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml

from gentra_lora.adapter.labels import Size, architecture, dataset_fields, title_fields, training_fields
from gentra_lora.errors import InputError
from gentra_lora.git import git
from gentra_lora.whole_file import json_text

PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate")
TRAINING_STAGES = ("prepare", "cache_latents", "train")


def versions(*more: str) -> dict[str, str]:
    """Return the versions that can change a result; `more` are packages that not every run uses."""
    return {name: version(name) for name in dict.fromkeys((*PACKAGES, *more))} | {"torch": torch.__version__}


def photos_digest(digests: Iterable[str]) -> str:
    """Return one sha256 over the photos' own, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def trained_from(raw_dir: str, pipeline: Path = Path("dvc.yaml")) -> list[str]:
    """Return the paths that can change an adapter: photos, params.yaml and what dvc.yaml's stages up to train read."""
    stages = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"] if pipeline.exists() else {}
    deps = {dep for name in TRAINING_STAGES for dep in stages.get(name, {}).get("deps", []) if "${" not in dep}
    return ["params.yaml", raw_dir, f"{raw_dir}.dvc", *sorted(deps)]


def git_state(paths: Sequence[str]) -> tuple[str, str]:
    """Return (revision, "yes" or "no" to uncommitted changes) of paths in the current folder's repository.

    The revision is the last commit that changed any of them: a commit of a text, of dvc.lock or of a module that
    training does not use gives the same header. ("unknown", "unknown") outside of git, and before the first commit.

    Raises:
        InputError: a shallow clone ends before that commit, and any clone must give the same header; or git cannot read
            the repository.
    """
    top = git("rev-parse", "--show-toplevel")  # git refuses a path that lies outside of it, such as a base elsewhere
    paths = [path for path in paths if Path(os.path.normpath(Path.cwd() / path)).is_relative_to(top)]
    revision = git("rev-list", "-1", "HEAD", "--", *paths)
    if not revision:
        return "unknown", "unknown"
    shallow = Path(git("rev-parse", "--git-path", "shallow"))
    if shallow.exists() and revision in shallow.read_text(encoding="utf-8").split():
        raise InputError(
            f"{shallow}: this clone is shallow and ends before the commit that last changed what is trained from, "
            "which the adapter's header names; run `git fetch --unshallow`, then the same command again"
        )
    return revision, "yes" if git("status", "--porcelain", "--", *paths) else "no"


def commit_date(revision: str, dirty: str) -> dict[str, str]:
    """Return when a revision was committed, as ModelSpec has it: equal runs have equal dates, which a clock has not.

    Nothing where what was trained is not what was committed.
    """
    date = git("log", "-1", "--format=%cI", revision) if dirty == "no" else ""
    return {"modelspec.date": date} if date else {}


def dataset_md5(raw_dir: str, lock: Path = Path("dvc.lock")) -> str:
    """Return DVC's md5 of the photos' folder, as the prepare stage in dvc.lock has it; "unknown" without one."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.exists() else {}
    deps = stages.get("prepare", {}).get("deps", [])
    return next((dep["md5"] for dep in deps if dep["path"] == raw_dir), "unknown")


def adapter_metadata(
    *,
    train_params: Mapping[str, Any],
    base: str,
    trigger_word: str,
    resolution: int,
    prediction_type: str,
    cross_attention_dim: int,
    photos: Sequence[str],
    captions: Sequence[str],
    sizes: Sequence[Size],
    raw_dir: str,
    author: str | None,
    versions: Mapping[str, str],
) -> dict[str, str]:
    """Return the header of an adapter file: the fields that user interfaces read, then our own under gentra.*.

    Holds no clock's time and no path, so that equal runs write equal bytes. What is known only at the end is added by
    `with_result` and `hashes_of`.

    Args:
        photos, captions, sizes: of the training photos: sha256 each, and (width, height) of a crop in px.
        cross_attention_dim: of the denoiser, which says whose adapter it is.
    """
    revision, dirty = git_state(trained_from(raw_dir))
    return {
        "format": "pt",
        **architecture(cross_attention_dim, prediction_type),
        **training_fields(train_params, base, resolution, trigger_word),
        **dataset_fields(captions, sizes, trigger_word),
        **title_fields(trigger_word, train_params["rank"], len(photos), resolution, author),
        **commit_date(revision, dirty),
        "gentra.base": base,
        "gentra.git_revision": revision,
        "gentra.git_dirty": dirty,
        "gentra.dataset_md5": dataset_md5(raw_dir),
        "gentra.photos_sha256": photos_digest(photos),
        "gentra.train_params": json_text(train_params, sort_keys=True),
        "gentra.versions": json_text(versions, sort_keys=True),
    }


def with_result(
    metadata: dict[str, str], steps: int, held_out: float | None, held_out_base: float | None
) -> dict[str, str]:
    """Return the header with how far training came, and its held-out loss beside the base's; None where unmeasured."""
    losses = {"gentra.held_out_loss": held_out, "gentra.held_out_loss_base": held_out_base}
    texts = {key: "unknown" if value is None else f"{value:.6f}" for key, value in losses.items()}
    return metadata | texts | {"ss_steps": str(steps), "gentra.steps": str(steps)}
