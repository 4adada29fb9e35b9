"""Threads that open photos: few, since each photo takes its size in memory."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


class Decoders:
    """A pool of its own, so that photos do not hold up anything else."""

    def __init__(self, threads=2):
        self._pool = ThreadPoolExecutor(threads, "decoder")

    async def run(self, function, *args):
        """Return function(*args), called in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def close(self):
        """Wait for no one."""
        self._pool.shutdown(wait=False, cancel_futures=True)
