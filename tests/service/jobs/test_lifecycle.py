import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import torch

from gentra_lora.service.jobs.service import Service
from tests.service.http.test_answers import pixels
from tests.service.jobs.test_revision import repo  # noqa: F401 - a fixture
from tests.serving import TOKEN, busy, commit_weights, running, settings_for
from tests.waiting import until


def texts(served):
    answer = served.get("/readyz")
    return answer.status_code, answer.json()


def test_service_is_not_ready_and_says_why_where_the_weights_are_not_those_of_the_lock(repo):  # noqa: F811
    for path in (repo.parent / "remote/files/md5").glob("??/*"):
        path.write_bytes(b"x")
    with running(settings_for(repo), ready=False) as served:
        until(lambda: served.service.life.state == "failed")
        status, body = texts(served)
        assert status == 503
        assert "holds other bytes" in body["error"]["message"]
        assert str(repo.parent) not in str(body)
        assert served.get("/healthz").status_code == 200
        assert served.draw().status_code == 503
        assert served.get("/v1/model").status_code == 503


def test_service_that_could_not_start_serves_after_a_reload_once_the_weights_are_there(repo):  # noqa: F811
    objects = repo.parent / "remote/files"
    shutil.move(objects, repo.parent / "away")
    with running(settings_for(repo, admin_token=TOKEN), ready=False) as served:
        until(lambda: served.service.life.state == "failed")
        shutil.move(repo.parent / "away", objects)
        assert served.reload("first").status_code == 200
        assert texts(served)[0] == 200
        assert served.draw().status_code == 200


def test_fault_at_the_start_is_told_without_its_text(serving_repo, tmp_path, monkeypatch):
    service = Service(settings_for(serving_repo, weights_dir=tmp_path))
    monkeypatch.setattr("gentra_lora.service.jobs.lifecycle.find_revision", lambda _: 1 / 0)
    service.life.load()
    assert (service.life.state, service.life.reason) == (
        "failed",
        "the start failed (ZeroDivisionError); the log says why",
    )


@pytest.fixture
def changing(repo):  # noqa: F811
    with running(settings_for(repo, admin_token=TOKEN)) as served:
        yield served


def test_reload_serves_the_other_revision_and_back_again_the_first(changing):
    first = changing.draw(seed=3)
    assert changing.reload("second").status_code == 200
    second = changing.draw(seed=3)
    assert first.headers["x-commit"] != second.headers["x-commit"]
    assert not np.array_equal(pixels(first.content), pixels(second.content))
    assert changing.reload("first").status_code == 200
    assert np.array_equal(pixels(changing.draw(seed=3).content), pixels(first.content))


def test_base_is_the_same_before_and_after_reloads(changing):
    before = pixels(changing.draw(seed=3, lora_scale=0).content)
    weights = changing.service.life.worker.engine.unet.state_dict()
    before_weights = {name: value.clone() for name, value in weights.items()}
    for rev in ("second", "first", "second"):
        assert changing.reload(rev).status_code == 200
    after = changing.service.life.worker.engine.unet.state_dict()
    assert after.keys() == before_weights.keys()
    assert all(torch.equal(value, before_weights[name]) for name, value in after.items())
    assert np.array_equal(pixels(changing.draw(seed=3, lora_scale=0).content), before)


def test_revision_that_is_refused_leaves_the_old_one_serving_and_a_later_one_is_taken(changing, repo, tiny_base):  # noqa: F811
    before = changing.draw(seed=3)
    commit_weights(repo, repo.parent / "remote", tiny_base, "third", 3)
    newest = max((repo.parent / "remote/files/md5").glob("??/*"), key=lambda path: path.stat().st_mtime_ns)
    content = newest.read_bytes()
    newest.write_bytes(b"broken")
    answer = changing.reload("third")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "revision_refused"
    assert changing.get("/readyz").status_code == 200
    again = changing.draw(seed=3)
    assert again.headers["x-commit"] == before.headers["x-commit"]
    assert np.array_equal(pixels(again.content), pixels(before.content))
    newest.write_bytes(content)
    assert changing.reload("third").status_code == 200


def test_adapter_of_another_base_is_refused_on_reload(changing, repo, tiny_base, tmp_path):  # noqa: F811
    shutil.copytree(tiny_base, tmp_path / "other")
    (tmp_path / "other/extra.txt").write_text("another identity")
    commit_weights(repo, repo.parent / "remote", tmp_path / "other", "other-base", 4)
    answer = changing.reload("other-base")
    assert answer.status_code == 422
    assert "was trained on other@sha256:" in answer.json()["error"]["message"]


def test_adapter_of_more_modules_and_a_higher_rank_is_taken_and_given_back(changing, repo, tiny_base):  # noqa: F811
    before = pixels(changing.draw(seed=3).content)
    more = {"rank": 16, "targets": "attention+ff+conv"}
    commit_weights(repo, repo.parent / "remote", tiny_base, "larger", 5, **more)
    assert changing.reload("larger").status_code == 200
    assert not np.array_equal(pixels(changing.draw(seed=3).content), before)
    assert changing.reload("first").status_code == 200
    assert np.array_equal(pixels(changing.draw(seed=3).content), before)


def test_second_reload_at_the_same_time_is_409(changing):
    changing.service.life._reloading.acquire()
    try:
        assert changing.reload("second").status_code == 409
    finally:
        changing.service.life._reloading.release()


def test_running_job_ends_by_the_revision_that_it_began_with(changing):
    commit = changing.service.life.revision.commit
    wanted = pixels(changing.draw(seed=3, width=128).content)
    with ThreadPoolExecutor(1) as pool, busy(changing, seed=3) as gate:
        reloading = pool.submit(changing.reload, "second")
        until(lambda: changing.service.queue._commands)
        gate.let()
        assert reloading.result().status_code == 200
    done = changing.ended(gate.job)
    assert (done["state"], done["images"][0]["parameters"]["commit"]) == ("done", commit)
    assert np.array_equal(pixels(changing.get(f"/v1/jobs/{gate.job}/images/0").content), wanted)
    assert changing.service.life.revision.commit != commit


def test_two_reloads_at_once_leave_torch_as_it_was(changing):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(changing.reload("second"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 409])
    assert torch.nn.Linear(1, 1).weight.device.type == "cpu"


@pytest.mark.load
def test_fifty_reloads_keep_memory_flat_and_one_adapter(changing):
    process, engine = psutil.Process(), changing.service.life.worker.engine
    modules, sizes = None, []
    for n in range(50):
        assert changing.reload(("second", "first")[n % 2]).status_code == 200
        modules = modules or len(engine.adapter.factors)
        assert len(engine.adapter.factors) == modules
        sizes.append(process.memory_info().rss)
    assert max(sizes[-5:]) < 1.05 * max(sizes[5:10])
    assert sum("forward" in vars(module) for module in engine.unet.modules()) == modules
