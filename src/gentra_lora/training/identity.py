"""What a training is: all that changes its result, noted beside its checkpoints, and in what two of them differ."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gentra_lora.whole_file import write_json

VALUES = "values.json"
# Schedules whose rate at a step does not depend on how many steps there will be.
ENDLESS = ("constant",)
MOST_TOLD = 5
FIELDS = {"sha256": "the photo", "caption": "the caption", "split": "the split", "mask_sha256": "the mask"}


class Other(NamedTuple):
    """The newest checkpoint of another training."""

    path: Path
    values: Mapping[str, Any]


def of_any_length(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that decide where checkpoints lie: without train.steps where the schedule allows more."""
    params = dict(values["params"])
    if params["lr_scheduler"] in ENDLESS:
        del params["steps"]
    return {**values, "params": params}


def note_values(folder: Path, values: Mapping[str, Any]) -> None:
    """Write what a folder's checkpoints are of."""
    write_json(folder / VALUES, values, indent=1, default=str)


def noted_values(folder: Path) -> dict[str, Any] | None:
    """Return what a folder's checkpoints are of, None where that is not noted."""
    path = folder / VALUES
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # of an earlier version, or none that this program wrote
        return None


def newest_other(folder: Path) -> Other | None:
    """Return the newest checkpoint in the folders beside `folder`, of those that say what they are of."""
    found = [path for path in folder.parent.glob("*/step-*.pt") if path.parent != folder]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        if values := noted_values(path.parent):
            return Other(path, values)
    return None


def why_fresh(folder: Path, values: Mapping[str, Any]) -> str:
    """Return a sentence on why the newest other checkpoint is not gone on from, "" where there is none."""
    other = newest_other(folder)
    if not other:
        return ""
    told = list(differences(other.values, values))
    more = f", and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    schedule = values["params"]["lr_scheduler"]
    if [text.split(":")[0] for text in told] == ["train.steps"]:
        told.append(f"the rate of {schedule} depends on it; only a constant one lets a run be made longer")
    return f"not going on from {other.path}, which differs: {'; '.join(told[:MOST_TOLD]) or 'the code'}{more}"


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield in what two trainings differ, by the names that a person knows."""
    for block, prefix in (("params", "train."), ("versions", "")):
        yield from _changed(then.get(block, {}), now[block], prefix)
    if then.get("start_from") != now.get("start_from"):
        yield f"train.start_from: a file of sha256 {then.get('start_from')} then, {now.get('start_from')} now"
    yield from _changed_index(then.get("index", {}), now["index"])
    if then.get("precision") != list(now["precision"]):
        yield f"precision, device or processes: {then.get('precision')} then, {now['precision']} now"
    if then.get("code") != now["code"]:
        yield "the code of this project"


def _changed(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in {**now, **then}:
        if then.get(key) != now.get(key):
            yield f"{prefix}{key}: {then.get(key)} then, {now.get(key)} now"


def _changed_index(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before, after = ({row["file_name"]: row for row in index.get("photos", [])} for index in (then, now))
    yield from (f"{name} is new" for name in after if name not in before)
    yield from (f"{name} is gone" for name in before if name not in after)
    both = [name for name in after if name in before]
    for name in both:
        fields = [word for field, word in FIELDS.items() if before[name].get(field) != after[name].get(field)]
        if fields:
            yield f"{name}: {' and '.join(fields)}"
        elif before[name].get("key") != after[name].get("key"):
            yield f"{name}: how it is cropped or encoded (base, prepare.resolution, cache_latents)"
    for key in {**now, **then}:
        if key != "photos" and then.get(key) != now.get(key):
            short = isinstance(now.get(key), str | int | float)
            yield f"{key}: {then.get(key)} then, {now.get(key)} now" if short else f"cached {key.replace('_', ' ')}"
