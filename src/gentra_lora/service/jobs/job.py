"""One request on its way: waiting, at work, ended."""

import secrets
import threading
import time
from dataclasses import dataclass

from gentra_lora.pictures.request import PictureRequest

ENDED = ("done", "failed", "cancelled")


class Job:
    """Pictures that were asked for together. Whoever changes it calls `changed`, from whatever thread."""

    def __init__(self, requests, seconds, warnings=(), request_id=None):
        """Take PictureRequests, the seconds that they may take, and what the client should know about them."""
        self.id, self.request_id = secrets.token_urlsafe(16), request_id
        self.requests, self.warnings = list(requests), list(warnings)
        self.created = time.monotonic()
        self.deadline = self.created + seconds
        self.state, self.error = "queued", None
        self.steps = sum(request.steps_run for request in requests)
        self.taken = [0] * len(self.requests)  # steps of each picture
        self.previews_wanted, self.preview = 0, None
        self.pictures = [None] * len(self.requests)  # uint8 (H, W, 3), in whatever order they come
        self.pngs, self.records, self.revision = [], [], None
        self.timings = {"queued": 0.0, "denoising": 0.0, "decoding": 0.0}
        self.ended_at = None
        self._lock, self._listeners = threading.RLock(), []

    @property
    def step(self):
        """How many steps of all pictures are taken."""
        return sum(self.taken)

    @property
    def ended(self):
        """Whether nothing will change any more."""
        return self.state in ENDED

    def listen(self, listener):
        """Call `listener` without arguments after each change."""
        with self._lock:
            self._listeners.append(listener)

    def forget(self, listener):
        """Call it no more."""
        with self._lock:
            self._listeners.remove(listener)

    def changed(self):
        """Tell all listeners."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def begin(self, revision):
        """Note what makes the pictures; return whether it was this call that began it."""
        with self._lock:
            if self.state != "queued":
                return False
            self.state, self.revision = "running", revision
            self.timings["queued"] = time.monotonic() - self.created
        self.changed()
        return True

    def end(self, state, error=None):
        """End it, unless it has ended; return whether it was this call that did.

        Args:
            error: ServiceError of a job that failed or was cancelled.
        """
        with self._lock:
            if self.ended:
                return False
            self.state, self.error, self.ended_at = state, error, time.monotonic()
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
