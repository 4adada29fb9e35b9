import asyncio
import threading

import pytest

from gentra_lora.service.http.decoders import Decoders
from tests.waiting import PATIENCE


def test_work_is_done_beside_the_loop_and_its_error_comes_back():
    async def run():
        decoders = Decoders()
        assert await decoders.run(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await decoders.run(lambda: 1 / 0)
        decoders.close()

    asyncio.run(run())


def test_no_more_photos_are_opened_at_once_than_there_are_threads():
    async def run():
        decoders, inside, most, lock = Decoders(2), [0], [0], threading.Lock()
        together = threading.Barrier(2)

        def work():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            together.wait(PATIENCE)
            with lock:
                inside[0] -= 1

        await asyncio.gather(*[decoders.run(work) for _ in range(8)])
        assert most[0] == 2
        decoders.close()

    asyncio.run(run())
