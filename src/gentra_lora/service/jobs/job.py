"""One request on its way: waiting, at work, ended."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gentra_lora.pictures.request import PictureRequest
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.revision import Revision

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


class Job:
    """Pictures that were asked for together. Whoever changes it calls `changed`, from whatever thread."""

    def __init__(
        self,
        requests: Sequence[PictureRequest],
        seconds: float,
        warnings: Iterable[str] = (),
        request_id: str | None = None,
    ) -> None:
        """Take what is wanted, the seconds that it may take, and what the client should know about it."""
        self.id, self.request_id = secrets.token_urlsafe(16), request_id
        self.requests, self.warnings = list(requests), list(warnings)
        self.created = time.monotonic()
        self.deadline = self.created + seconds
        self.state: State = "queued"
        self.error: ServiceError | None = None
        self.steps = sum(request.steps_run for request in requests)
        self.taken = [0] * len(self.requests)  # steps of each picture
        self.previews_wanted = 0
        self.previews: list[NDArray[np.uint8] | None] = [None] * len(self.requests)  # (h, w, 3)
        # (H, W, 3), in whatever order they come
        self.pictures: list[NDArray[np.uint8] | None] = [None] * len(self.requests)
        self.pngs: list[bytes] = []
        self.records: list[dict[str, Any]] = []
        self.revision: Revision  # there once it has begun
        self.timings = {"queued": 0.0, "denoising": 0.0, "decoding": 0.0}
        self.ended_at: float | None = None
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], object]] = []

    @property
    def step(self) -> int:
        """How many steps of all pictures are taken."""
        return sum(self.taken)

    @property
    def preview(self) -> NDArray[np.uint8] | None:
        """The preview of the first picture that has one."""
        return next((preview for preview in self.previews if preview is not None), None)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    def listen(self, listener: Callable[[], object]) -> None:
        """Call `listener` after each change."""
        with self._lock:
            self._listeners.append(listener)

    def forget(self, listener: Callable[[], object]) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners.remove(listener)

    def changed(self) -> None:
        """Tell all listeners."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def begin(self, revision: Revision) -> bool:
        """Note what makes the pictures; return whether it was this call that began it."""
        with self._lock:
            if self.state != "queued":
                return False
            self.timings["queued"] = time.monotonic() - self.created
            self.revision = revision
            self.state = "running"  # last: whoever sees it may read the rest, without the lock
        self.changed()
        return True

    def end(self, state: Literal["done", "failed", "cancelled"], error: ServiceError | None = None) -> bool:
        """End it, unless it has ended; return whether it was this call that did.

        Args:
            error: why it failed or was cancelled.
        """
        with self._lock:
            if self.ended:
                return False
            self.error, self.ended_at = error, time.monotonic()
            self.state = state  # last, as in `begin`
        self.changed()
        return True


@dataclass(frozen=True, eq=False)
class Place:
    """One picture of a job, as it waits and as it takes part in a batch."""

    job: Job
    index: int

    @property
    def request(self) -> PictureRequest:
        """What the picture is to be."""
        return self.job.requests[self.index]
