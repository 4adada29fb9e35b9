import asyncio
import threading

from gentra_lora.service.jobs.watch import Watch, ended
from tests.service.jobs.test_job import job
from tests.waiting import PATIENCE


class Client:
    """A request whose client goes away when it is told to."""

    def __init__(self):
        self.leave = asyncio.Event()

    async def receive(self):
        await self.leave.wait()
        return {"type": "http.disconnect"}


def test_change_in_another_thread_wakes_the_loop_and_none_does_not():
    async def run():
        with Watch(one := job()) as watch:
            assert not await watch.changed(0.01)
            threading.Thread(target=one.changed).start()
            assert await watch.changed(PATIENCE)

    asyncio.run(run())


def test_end_is_seen_though_it_came_before_the_waiting():
    async def run():
        one = job()
        one.end("done")
        assert await ended(one, Client())

    asyncio.run(run())


def test_end_is_waited_for():
    async def run():
        one = job()
        threading.Timer(0.05, one.end, ["done"]).start()
        assert await ended(one, Client())

    asyncio.run(run())


def test_client_that_goes_away_ends_the_waiting_and_leaves_no_listener():
    async def run():
        one, client = job(), Client()
        asyncio.get_running_loop().call_later(0.05, client.leave.set)
        assert not await ended(one, client)
        assert one._listeners == []

    asyncio.run(run())


def test_change_after_the_loop_is_closed_harms_nobody():
    async def run():
        watch = Watch(one := job())
        watch.__enter__()
        return one

    asyncio.run(run()).changed()


def test_previews_are_wanted_while_someone_watches():
    async def run():
        one = job()
        with Watch(one, previews=True), Watch(one, previews=True):
            assert one.previews_wanted == 2
        assert one.previews_wanted == 0

    asyncio.run(run())
