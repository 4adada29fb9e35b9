"""Threads that open photos: few, since each photo takes its size in memory, and shared out among the clients."""

import asyncio
import ctypes
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar, TypeVarTuple
from weakref import WeakValueDictionary

from gentra_lora.service.errors import ServiceError

UPLOADS = 16  # at once
RELEASE_SECONDS = 2.0
Result = TypeVar("Result")
Args = TypeVarTuple("Args")


class Decoders:
    """A pool of its own, so that photos do not hold up anything else."""

    def __init__(self, uploads_per_client: int, seconds: float, threads: int = 2) -> None:
        """Let a client have so many uploads on their way, each for at most so many seconds."""
        self.uploads_per_client, self.seconds = uploads_per_client, seconds
        self._pool = ThreadPoolExecutor(threads, "decoder")
        self._scaler = ThreadPoolExecutor(1, "scaler")
        self._uploads: list[tuple[str, float]] = []  # client, when it must have arrived
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, client: str, function: Callable[[*Args], Result], *args: *Args) -> Result:
        """Return function(*args), called in one of the threads; a client's calls come one after the other."""
        async with self._turns.setdefault(client, asyncio.Lock()):
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    async def scale(self, function: Callable[[*Args], Result], *args: *Args) -> Result:
        """Return function(*args), which lets an opened photo go; it waits for none that are still to be opened.

        Behind these, a client's photos would all be in memory as a whole before the first of them is scaled.
        """
        return await asyncio.get_running_loop().run_in_executor(self._scaler, function, *args)

    @contextmanager
    def upload(self, client: str) -> Iterator[None]:
        """Hold a place for one body in memory, from its first byte until its photo is scaled.

        Raises:
            ServiceError: 429, as many are on their way as may be, with the seconds after which a place is free.
        """
        own = [until for one, until in self._uploads if one == client]
        if len(own) >= self.uploads_per_client:
            raise _full(f"{len(own)} photos of yours", own)
        if len(self._uploads) >= UPLOADS:
            raise _full(f"{UPLOADS} photos", [until for _, until in self._uploads])
        place = client, time.monotonic() + self.seconds
        self._uploads.append(place)
        try:
            yield
        finally:
            self._uploads.remove(place)
            if not self._uploads:
                asyncio.get_running_loop().call_later(RELEASE_SECONDS, release_memory)

    def close(self) -> None:
        """Wait for no one."""
        for pool in (self._pool, self._scaler):
            pool.shutdown(wait=False, cancel_futures=True)


def _full(what: str, deadlines: list[float]) -> ServiceError:
    seconds = max(1, math.ceil(min(deadlines) - time.monotonic()))
    message = f"{what} are being uploaded already; try again in {seconds} s"
    return ServiceError(429, "queue_full", message, headers={"Retry-After": str(seconds)})


def release_memory() -> None:
    """Give the system back what decoders have freed; glibc would keep it."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
