"""Threads that open photos: few, since each photo takes its size in memory."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

from gentra_lora.service.errors import ServiceError

UPLOADS, UPLOAD_RETRY = 16, 2  # at once; seconds
Result = TypeVar("Result")
Args = TypeVarTuple("Args")


class Decoders:
    """A pool of its own, so that photos do not hold up anything else."""

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(threads, "decoder")
        self._uploads = 0

    async def run(self, function: Callable[[*Args], Result], *args: *Args) -> Result:
        """Return function(*args), called in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Hold a place for one body in memory, from its first byte until its photo is scaled.

        Raises:
            ServiceError: 429, as many are on their way as may be.
        """
        if self._uploads >= UPLOADS:
            message = f"{UPLOADS} photos are being uploaded already; try again in {UPLOAD_RETRY} s"
            raise ServiceError(429, "queue_full", message, headers={"Retry-After": str(UPLOAD_RETRY)})
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    def close(self) -> None:
        """Wait for no one."""
        self._pool.shutdown(wait=False, cancel_futures=True)
