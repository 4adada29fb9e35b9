"""The requests of each client that are at work: A1111's clients ask for the one at work, and end it, without an id."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from gentra_lora.service.http.answers import data_of
from gentra_lora.service.jobs.job import Job

LEAST = 0.01  # progress of what has begun: at 0, clients take it that nothing is at work


class Tasks:
    """Jobs by client, the oldest first. For the event loop alone."""

    def __init__(self) -> None:
        self._jobs: dict[str, list[Job]] = {}

    @contextmanager
    def at_work(self, client: str, job: Job) -> Iterator[None]:
        """Know a job as its client's."""
        self._jobs.setdefault(client, []).append(job)
        try:
            yield
        finally:
            self._jobs[client].remove(job)
            if not self._jobs[client]:
                del self._jobs[client]

    def current(self, client: str) -> Job | None:
        """Return the oldest job of a client that has not ended."""
        return next((job for job in self._jobs.get(client, []) if not job.ended), None)


def progress_of(job: Job | None, position: int | None, with_preview: bool) -> dict[str, object]:
    """Return how far a job is; `position` is its place among those that wait."""
    if job is None:
        return {"progress": 0.0, "eta_relative": 0.0, "state": _state(None), "current_image": None, "textinfo": None}
    share, left = 0.0, 0.0
    if job.state == "running":
        share = max(LEAST, job.step / job.steps)
        taken = time.monotonic() - job.created - job.timings["queued"]
        left = taken / share - taken
    preview = data_of(grid_of(job.previews)) if with_preview else None
    return {
        "progress": share,
        "eta_relative": left,
        "state": _state(job),
        "current_image": preview.partition(",")[2] if preview else None,
        "textinfo": f"waiting, place {position}" if position else None,
    }


def grid_of(previews: Sequence[NDArray[np.uint8] | None]) -> NDArray[np.uint8] | None:
    """Return the previews (h, w, 3) of a job in one picture, as A1111 lays them; black where there is none yet."""
    size = next((preview.shape for preview in previews if preview is not None), None)
    if size is None:
        return None
    rows = round(math.sqrt(len(previews)))
    columns = math.ceil(len(previews) / rows)
    grid = np.zeros((rows, columns, *size), np.uint8)  # (R, C, h, w, 3)
    for index, preview in enumerate(previews):
        if preview is not None:
            grid[divmod(index, columns)] = preview
    return grid.swapaxes(1, 2).reshape(rows * size[0], columns * size[1], 3)


def _state(job: Job | None) -> dict[str, object]:
    begun = time.time() - (time.monotonic() - job.created) if job else 0
    return {
        "skipped": False,
        "interrupted": False,
        "job": job.id if job else "",
        "job_count": 1 if job else 0,
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(begun)) if job else "0",
        "job_no": 0,
        "sampling_step": max(job.taken) if job else 0,
        "sampling_steps": job.requests[0].steps_run if job else 0,
    }
