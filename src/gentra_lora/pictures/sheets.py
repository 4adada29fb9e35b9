"""The pictures of an evaluation as labelled sheets: for the page, and as files for DVC's views of two revisions."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from gentra_lora.pictures.request import PictureRequest
from gentra_lora.pictures.sheet_drawing import grid

GRID_COLUMNS = 6  # prompts that are shown side by side; more would be too small on a page


@dataclass(frozen=True)
class Sheet:
    """Labelled pictures in rows and columns."""

    name: str  # of its file
    title: str
    columns: list[str]
    rows: list[tuple[str, list[np.ndarray]]]  # label, a picture (H, W, 3), uint8, for each column


class DrawnPlan(Protocol):
    """What sheets show of an evaluation's plan: its requests by group and by strength, the photos of the latter."""

    @property
    def groups(self) -> Mapping[str, Sequence[PictureRequest]]: ...

    @property
    def strips(self) -> Mapping[float, Sequence[PictureRequest]]: ...

    @property
    def strip_photos(self) -> Sequence[str]: ...


def sheets_of(
    plan: DrawnPlan,
    drawn: Mapping[str, Mapping[str, Sequence[np.ndarray]]],
    strips: Mapping[float, Mapping[str, Sequence[np.ndarray]]],
    steps: list[tuple[str, list[np.ndarray]]],
    scales: Sequence[float],
    photos: Mapping[str, np.ndarray],
    real: list[np.ndarray],
) -> list[Sheet]:
    """Return the Sheets "grid" of the first prompts, "scales", "img2img" and "drift".

    Args:
        drawn: {group: {"adapter", "base"}: pictures}.
        strips: {strength: {"adapter", "base"}: pictures of plan.strip_photos}.
        steps: (label, a picture for each of `scales`) pairs.
        photos: by file name.
        real: a real photo for each of the prompts.
    """
    prompts, numbers = first_of_each(plan.groups["prompt"])
    prompts, numbers = prompts[:GRID_COLUMNS], numbers[:GRID_COLUMNS]
    same = f"the same prompt and seed ({plan.groups['prompt'][0].seed}) in each column"
    grid_rows = [*_both(drawn["prompt"], numbers), *_next_seed(plan.groups["prompt"], drawn["prompt"], numbers)]
    grid_rows.append(("nearest real photo", real[:GRID_COLUMNS]))
    drift_prompts, places = first_of_each(plan.groups["drift"])
    captions = [request.prompt for request in next(iter(plan.strips.values()))]
    strip_rows = [
        (f"{name}: {captions[n]}", [photos[photo], *(strips[strength][name][n] for strength in strips)])
        for n, photo in enumerate(plan.strip_photos)
        for name in ("base", "adapter")
    ]
    return [
        Sheet("grid", f"{same}, unless a row names its own", prompts, grid_rows),
        Sheet("scales", prompts[0], [f"strength {scale:g}" for scale in scales], steps),
        Sheet("img2img", "img2img", ["held-out photo", *(f"strength {strength:g}" for strength in strips)], strip_rows),
        Sheet("drift", f"{same}; these should not change", drift_prompts, _both(drawn["drift"], places)),
    ]


def _both(pictures: Mapping[str, Sequence[np.ndarray]], numbers: Sequence[int]) -> list[tuple[str, list[np.ndarray]]]:
    return [(name, [pictures[name][n] for n in numbers]) for name in ("base", "adapter")]


def _next_seed(
    requests: Sequence[PictureRequest], pictures: Mapping[str, Sequence[np.ndarray]], numbers: Sequence[int]
) -> list[tuple[str, list[np.ndarray]]]:
    """Return a row of the adapter's pictures of the seed after each of `numbers`; none where there is one seed."""
    following = [number + 1 for number in numbers]
    last = following[-1] if following else 0
    if last >= len(requests) or requests[last].prompt != requests[last - 1].prompt:
        return []
    return [(f"adapter, seed {requests[last].seed}", [pictures["adapter"][number] for number in following])]


def first_of_each(requests: Sequence[PictureRequest]) -> tuple[list[str], list[int]]:
    """Return the prompts of requests, each once, and the number of the first request of each."""
    found: dict[str, int] = {}
    for number, request in enumerate(requests):
        found.setdefault(request.prompt, number)
    return list(found), list(found.values())


def save_sheets(folder: Path, sheets: Sequence[Sheet]) -> None:
    """Write NAME.png of each sheet, and a file for each picture in the adapter's row of the first one.

    What was in `folder` is removed: DVC may have put links to its cache there, and no sheet may be an earlier run's.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for sheet in sheets:
        grid(sheet.columns, sheet.rows, sheet.title).save(folder / f"{sheet.name}.png")
    for place, (prompt, picture) in enumerate(zip(sheets[0].columns, dict(sheets[0].rows)["adapter"], strict=True), 1):
        name = "".join(letter if letter.isalnum() else "_" for letter in prompt.lower())[:60]
        Image.fromarray(picture).save(folder / f"prompt_{place}_{name}.png")
