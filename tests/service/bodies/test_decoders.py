import asyncio
import threading
from contextlib import ExitStack

import pytest

from gentra_lora.service.bodies.decoders import UPLOADS, Decoders
from gentra_lora.service.errors import ServiceError
from tests.waiting import PATIENCE


def test_work_is_done_beside_the_loop_and_its_error_comes_back():
    async def run():
        decoders = Decoders(4, 60)
        assert await decoders.run("a", threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await decoders.run("a", lambda: 1 / 0)
        decoders.close()

    asyncio.run(run())


def test_no_more_photos_are_opened_at_once_than_there_are_threads():
    async def run():
        decoders, inside, most, lock = Decoders(4, 60, threads=2), [0], [0], threading.Lock()
        together = threading.Barrier(2)

        def work():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            together.wait(PATIENCE)
            with lock:
                inside[0] -= 1

        await asyncio.gather(*[decoders.run(str(client), work) for client in range(8)])
        assert most[0] == 2
        decoders.close()

    asyncio.run(run())


def test_clients_photos_come_one_after_the_other_and_anothers_does_not_wait_for_them():
    async def run():
        decoders, gate, inside = Decoders(4, 60, threads=2), threading.Event(), []

        def slow(number):
            inside.append(number)
            gate.wait(PATIENCE)

        waiting = [asyncio.create_task(decoders.run("greedy", slow, number)) for number in range(4)]
        assert await asyncio.wait_for(decoders.run("modest", lambda: "done"), PATIENCE) == "done"
        assert inside == [0]
        gate.set()
        await asyncio.gather(*waiting)
        assert inside == [0, 1, 2, 3]
        decoders.close()

    asyncio.run(run())


def test_opened_photo_is_scaled_before_the_clients_next_ones_are_opened():
    async def run():
        decoders, order = Decoders(4, 60, threads=2), []

        async def photo(number):
            await decoders.run("one", lambda: order.append(f"opened {number}"))
            await decoders.scale(lambda: order.append(f"scaled {number}"))

        await asyncio.gather(*[photo(number) for number in range(4)])
        decoders.close()
        opened = {number: order.index(f"opened {number}") for number in range(4)}
        return [order.index(f"scaled {number}") - opened[number] for number in range(4)]

    assert max(asyncio.run(run())) <= 2  # one more, at most, is opened meanwhile


def test_client_has_a_few_places_all_clients_have_some_and_the_wait_that_is_told_is_the_longest_possible():
    async def run():
        decoders = Decoders(2, 30)
        with ExitStack() as held:
            for client in [str(n // 2) for n in range(UPLOADS - 1)]:
                held.enter_context(decoders.upload(client))
            with pytest.raises(ServiceError, match="2 photos of yours are being uploaded") as refused:
                held.enter_context(decoders.upload("0"))
            assert refused.value.headers["Retry-After"] == "30"
            held.enter_context(decoders.upload("new"))
            with pytest.raises(ServiceError, match=f"^{UPLOADS} photos are being uploaded"):
                held.enter_context(decoders.upload("newer"))
        with decoders.upload("0"), decoders.upload("0"):
            pass
        decoders.close()

    asyncio.run(run())
