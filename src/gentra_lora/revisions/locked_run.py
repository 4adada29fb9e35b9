"""What a dvc.lock says of a run: its weights, the parameters that made them, and whether its metrics are theirs."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NotRequired, TypedDict

import yaml

from gentra_lora.evaluation.scored_run import METRICS
from gentra_lora.params import parse_params

WEIGHTS = "models/sport_gentra_lora.safetensors"
Params = dict[str, dict[str, Any]]  # params.yaml of whatever version: {block: {key: value}}
Stages = dict[str, dict[str, Any]]  # of a dvc.lock, by name


class LockedFile(TypedDict):
    """What a dvc.lock says of one file."""

    path: str
    md5: str
    size: NotRequired[int]


@lru_cache
def stages_of(lock: str) -> Stages:
    """Return the stages of a dvc.lock's text, kept since most commits of a history have the one of the commit before.

    Raises:
        yaml.YAMLError, TypeError, KeyError: it is none; AttributeError, where it is used.
    """
    return yaml.safe_load(lock)["stages"]


def weights_in(lock: str) -> LockedFile | None:
    """Return the entry of the weights, or None where nothing was trained."""
    stages = stages_of(lock)
    maker = _maker(stages, WEIGHTS)
    found = _entry(stages[maker], "outs", WEIGHTS) if maker else None
    return found if found and found.get("md5") else None


def metrics_fault(lock: str, texts: Mapping[str, str], header: Mapping[str, str] | None = None) -> str | None:
    """Return why an evaluation's figures are not of the weights beside them, or None where they are.

    Args:
        lock: the text of dvc.lock; it names weights.
        texts: {path: text} of reports/metrics.json, and of what else of the evaluation is not read by its hash.
        header: of the weights' file, where it is at hand.
    """
    stages, weights = stages_of(lock), weights_in(lock)
    name = _maker(stages, METRICS)
    if not weights or not name:
        return "dvc.lock knows of no evaluation"
    stage = stages[name]
    used = _entry(stage, "outs", WEIGHTS) or _entry(stage, "deps", WEIGHTS)
    if not used or used["md5"] != weights["md5"]:
        of = f"those of md5 {used['md5'][:8]}" if used else "none"
        return f"evaluated were {of}, and these are of md5 {weights['md5'][:8]}"
    for path, text in texts.items():
        locked = _entry(stage, "outs", path)
        if not locked or locked["md5"] != hashlib.md5(text.encode()).hexdigest():
            return f"{path} is not the file that dvc.lock names"
    ours, theirs = params_in(lock).get("train", {}) if header else {}, _trained_with(header or {})
    differing = [key for key in ours if key in theirs and ours[key] != theirs[key]]
    return next((f"their file says train.{key} = {theirs[key]}, dvc.lock {ours[key]}" for key in differing), None)


def params_in(lock: str, header: Mapping[str, str] | None = None) -> Params:
    """Return the parameters that made the weights and, where it was of them, the evaluation.

    Args:
        header: of the weights' file; what it says of its training comes before dvc.lock's.
    """
    stages: Stages = parse_params(lock, "dvc.lock")["stages"]
    maker, evaluated = _maker(stages, WEIGHTS), _maker(stages, METRICS)
    names = _before(stages, maker) if maker else []
    if evaluated and metrics_fault(lock, {}) is None:
        names = [name for name in names if name != evaluated] + [evaluated]
    params: Params = {}
    for name in names:
        for key, value in stages[name].get("params", {}).get("params.yaml", {}).items():
            block, _, inner = key.partition(".")
            params.setdefault(block, {}).update({inner: value} if inner else value)
    if trained := _trained_with(header or {}):
        params["train"] = params.get("train", {}) | trained
    return params


def _trained_with(header: Mapping[str, str]) -> dict[str, Any]:
    return json.loads(header.get("gentra.train_params", "{}"))


def _maker(stages: Stages, path: str) -> str | None:
    """Return the stage that a file is an output of."""
    return next((name for name, stage in stages.items() if _entry(stage, "outs", path)), None)


def _entry(stage: Mapping[str, Any], kind: str, path: str) -> LockedFile | None:
    return next((found for found in stage.get(kind, []) if found["path"] == path), None)


def _before(stages: Stages, name: str) -> list[str]:
    """Return the stages by whose outputs, byte for byte, a stage ran, the first of them first, itself last."""
    found: list[str] = []
    for dep in stages[name].get("deps", []):
        maker = _maker(stages, dep["path"])
        out = _entry(stages[maker], "outs", dep["path"]) if maker else None
        if maker and out and out.get("md5") == dep.get("md5"):
            found += [earlier for earlier in _before(stages, maker) if earlier not in found]
    return [*found, name]
