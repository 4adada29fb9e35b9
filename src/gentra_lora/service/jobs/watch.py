"""A job as seen from the event loop: its end, its steps, and the client that may go away meanwhile."""

import asyncio
import contextlib
import time
from typing import Self

from starlette.requests import Request

from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.worker import expire


class Watch:
    """Wakes the event loop when a job changes. A context manager."""

    def __init__(self, job: Job, previews: bool = False) -> None:
        self.job, self.previews = job, previews
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()

    def __enter__(self) -> Self:
        self.job.previews_wanted += self.previews
        self.job.listen(self._wake)
        return self

    def __exit__(self, *_: object) -> None:
        self.job.forget(self._wake)
        self.job.previews_wanted -= self.previews

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def changed(self, seconds: float | None) -> bool:
        """Wait for the next change, at most so long where seconds are given; return whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


async def ended(job: Job, request: Request) -> bool:
    """Wait for a job's end; return False where the client went away first."""
    gone = asyncio.create_task(_gone(request))
    try:
        with Watch(job) as watch:
            while not job.ended:
                left = job.deadline - time.monotonic()
                if left < 0:
                    expire(job)
                    break
                waiting = asyncio.create_task(watch.changed(left + 0.01))
                await asyncio.wait({gone, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if gone.done() and not job.ended:
                    return False
        return True
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
