"""The service under load. The long ones, on the nano base, are `make test-service`."""

import gc
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.conftest import ROOT
from tests.service.http.test_routes_pictures import photo
from tests.service.oracle import Oracle, ask_alone, ask_together, random_requests
from tests.serving import TOKEN, make_serving_repo, running, settings_for

NANO = ROOT / "models/nano-sd"


def bases(tmp_path, name, serving_repo):
    """Return a repository with two revisions on the tiny base or on the nano base."""
    return serving_repo if name == "tiny" else make_serving_repo(tmp_path / "nano", NANO, resolution=128)


CASES = [("tiny", 200), ("nano", 200)]


@pytest.mark.load
@pytest.mark.parametrize(("base", "count"), CASES)
def test_every_picture_under_load_is_the_one_that_is_made_alone(base, count, serving_repo, tmp_path):
    repo = bases(tmp_path, base, serving_repo)
    oracle = Oracle(random_requests(count, 1))
    with running(settings_for(repo, weights_dir=tmp_path / "served")) as served:
        ask_alone(served, oracle)
        ask_together(served, oracle)
        batches = served.service.metrics.batch_size._sum.get()
    assert oracle.wrong == []
    assert batches == 2 * count


@pytest.mark.load
@pytest.mark.parametrize(("base", "count"), CASES)
def test_every_picture_while_revisions_change_is_the_one_of_the_revision_that_it_names(
    base, count, serving_repo, tmp_path
):
    repo = bases(tmp_path, base, serving_repo)
    oracle, reloads = Oracle(random_requests(count, 2)), []
    settings = settings_for(repo, weights_dir=tmp_path / "served", admin_token=TOKEN)
    with running(settings) as served:
        for rev in ("second", "first"):
            assert served.reload(rev).status_code == 200
            ask_alone(served, oracle)

        def reload(done):
            for n in range(10):
                reloads.append(served.reload(("second", "first")[n % 2]).status_code)
                done.wait(0.02 if base == "tiny" else 2)

        ask_together(served, oracle, meanwhile=reload)
    assert oracle.wrong == []
    assert reloads == [200] * 10
    assert len(oracle.by_commit) == 2
    assert sum(oracle.by_commit.values()) == count


@pytest.mark.load
def test_overload_from_1_to_64_clients_is_refused_quickly_and_never_breaks(tmp_path):
    repo = make_serving_repo(tmp_path / "nano", NANO, resolution=128)
    with running(settings_for(repo, weights_dir=tmp_path / "served", max_queue=16)) as served:
        for clients in (1, 4, 16, 64):
            statuses, refusals, health, done = [], [], [], threading.Event()

            def ask(n, statuses=statuses, refusals=refusals):
                answer = served.draw(seed=n, num_inference_steps=20)
                statuses.append(answer.status_code)
                if answer.status_code == 429:
                    refusals.append(answer.elapsed.total_seconds())
                    time.sleep(0.2)

            def look(health=health, done=done):
                while not done.wait(0.05):
                    health.append(served.get("/healthz").elapsed.total_seconds())

            looking = threading.Thread(target=look)
            looking.start()
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(ask, range(3 * clients)))
            done.set()
            looking.join()
            print(f"{clients} clients: {statuses.count(200)} pictures, {statuses.count(429)} refused", end="")
            print(f", /healthz {statistics.median(health) * 1000:.0f} ms at the median", end="")
            print(f", a 429 {statistics.median(refusals) * 1000:.0f} ms" if refusals else "")
            assert set(statuses) <= {200, 429}
            assert statuses.count(200) >= min(16, clients)
            assert statistics.median(health) < 0.05
            assert not refusals or statistics.median(refusals) < 0.05
        assert refusals
        begun = time.monotonic()
        assert served.draw(num_inference_steps=20).status_code == 200
        assert time.monotonic() - begun < 10
        assert not served.service.queue.jobs()


def damaged(chance):
    """Return random bytes, or a photo with some of its bytes changed or its end missing."""
    content = bytearray(photo((chance.randrange(8, 200), chance.randrange(8, 200))))
    kind = chance.randrange(3)
    if kind == 0:
        return chance.randbytes(chance.randrange(0, 5000))
    if kind == 1:
        for _ in range(chance.randrange(1, 30)):
            content[chance.randrange(8, len(content))] = chance.randrange(256)
        return bytes(content)
    return bytes(content[: chance.randrange(len(content))])


@pytest.mark.load
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore::UserWarning")
def test_five_hundred_broken_uploads_are_refused_or_drawn_and_memory_stays_flat(served):
    chance, statuses, sizes = random.Random(5), [], []
    for n in range(500):
        statuses.append(served.redraw(damaged(chance), num_inference_steps=1, strength=1.0).status_code)
        if n % 50 == 49:
            gc.collect()
            sizes.append(psutil.Process().memory_info().rss)
    assert set(statuses) <= {200, 413, 415, 422}
    assert max(sizes[5:]) < 1.05 * max(sizes[:5])
    assert served.draw().status_code == 200
