"""Jobs that wait for the worker: bounded, first come first served, side by side where they fit."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from gentra_lora.pictures.engine import most_at_once
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.job import Job, Place
from gentra_lora.service.jobs.pace import Pace

SMOOTHING = 0.3  # the weight of the newest measurement


class JobQueue:
    """Safe for any thread."""

    def __init__(self, max_queue: int) -> None:
        """Let at most `max_queue` jobs wait."""
        self.max_queue, self.pace = max_queue, Pace()
        self._ready = threading.Condition()
        self._places: deque[Place] = deque()
        self._commands: deque[Callable[[], object]] = deque()
        self._seconds_a_job = 1.0  # until there is a measurement
        self.closed = False

    def put(self, job: Job) -> None:
        """Let a job wait.

        Raises:
            ServiceError: 429, as many wait as may, with the seconds after which a place should be free.
        """
        with self._ready:
            self.check_room()
            self._places.extend(Place(job, index) for index in range(len(job.requests)))
            self._ready.notify()

    def check_room(self) -> None:
        """Refuse where there is no place; see `put`."""
        with self._ready:
            waiting = len(self._waiting())
            if waiting >= self.max_queue:
                seconds = max(1, math.ceil(waiting * self._seconds_a_job))
                raise ServiceError(
                    429,
                    "queue_full",
                    f"{waiting} requests wait already; try again in {seconds} s",
                    headers={"Retry-After": str(seconds)},
                )

    def call(self, command: Callable[[], object]) -> None:
        """Let the worker call `command` before anything that waits.

        Raises:
            ServiceError: 503, the queue is closed.
        """
        with self._ready:
            if self.closed:
                raise ServiceError(503, "draining", "the service is being stopped")
            self._commands.append(command)
            self._ready.notify()

    def take(self) -> Callable[[], object] | list[Place] | None:
        """Wait for work; return a command, or the places of one batch, or None when closed."""
        with self._ready:
            while not (self._commands or self._places or self.closed):
                self._ready.wait()
            # All pictures of a job are made by one revision: what has begun comes before a command.
            begun = [place for place in self._places if place.job.state == "running"]
            if self._commands and not begun:
                return self._commands.popleft()
            return self._batch(begun if self._commands else self._places) if self._places else None

    def _batch(self, places: Sequence[Place]) -> list[Place]:
        first = places[0].request
        fitting = [place for place in places if place.request.batch_key == first.batch_key]
        taken = fitting[: most_at_once(first)]
        chosen = set(map(id, taken))
        self._places = deque(place for place in self._places if id(place) not in chosen)
        return taken

    def drop(self, job: Job) -> None:
        """Let a job wait no more."""
        with self._ready:
            self._places = deque(place for place in self._places if place.job is not job)

    def jobs(self) -> list[Job]:
        """Return the jobs that wait, in order."""
        with self._ready:
            return self._waiting()

    def _waiting(self) -> list[Job]:
        return list(dict.fromkeys(place.job for place in self._places))

    def position(self, job: Job) -> int | None:
        """Return a job's place among those that wait, from 1; None where it does not wait."""
        waiting = self.jobs()
        return waiting.index(job) + 1 if job in waiting else None

    def expired(self) -> list[Job]:
        """Return the waiting jobs whose time is over."""
        now = time.monotonic()
        return [job for job in self.jobs() if now > job.deadline]

    def measured(self, seconds: float, jobs: int) -> None:
        """Take what a batch took, for the times that are told to those who must come again."""
        with self._ready:
            self._seconds_a_job += SMOOTHING * (seconds / jobs - self._seconds_a_job)

    def close(self) -> None:
        """Let the worker end once nothing waits."""
        with self._ready:
            self.closed = True
            self._ready.notify()
