from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gentra_lora.service.errors import ServiceError
from tests.conftest import full_disk
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.serving import busy, running, settings_for
from tests.waiting import PATIENCE, until


def test_full_queue_is_429_and_every_accepted_request_is_answered(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, max_queue=2)) as served:
        with busy(served) as gate:
            waiting = [served.job() for _ in range(2)]
            for answer in (served.draw(), served.redraw(photo()), served.post("/v1/jobs", json={"prompt": "a"})):
                assert answer.status_code == 429
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json()["error"]["code"] == "queue_full"
        assert [served.ended(job)["state"] for job in (gate.job, *waiting)] == ["done"] * 3
        assert served.draw().status_code == 200


def test_overload_is_told_before_a_body_is_read(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, max_queue=1)) as served, busy(served):
        served.job()
        assert served.redraw(b"not a picture").status_code == 429
        for _ in range(5):
            assert served.redraw(b"\0" * 10_000_000).status_code == 429  # told though the client is still sending


def test_of_forty_requests_at_once_those_without_a_place_are_429_and_none_is_a_fault(serving_repo, tmp_path):
    with (
        running(settings_for(serving_repo, weights_dir=tmp_path, max_queue=16)) as served,
        ThreadPoolExecutor(40) as pool,
    ):
        with busy(served):
            asked = [pool.submit(served.draw, seed=n) for n in range(40)]
            until(lambda: sum(answer.done() for answer in asked) == 40 - 16)
            refused = [answer.result() for answer in asked if answer.done()]
            assert {answer.status_code for answer in refused} == {429}
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert [answer.result().status_code for answer in asked].count(200) == 16


def test_sixteen_threads_that_count_tokens_at_once_do_not_fail(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        prompts = [f"a{n} " * 60 for n in range(200)]  # too long: refused once they are counted
        with ThreadPoolExecutor(16) as pool:
            statuses = set(pool.map(lambda prompt: served.draw(prompt).status_code, prompts))
        assert statuses == {422}


def test_draining_is_503_and_what_was_accepted_is_finished(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        with busy(served) as gate:
            served.service.drain()
            answer = served.draw()
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "draining"
            assert served.get("/readyz").status_code == 503
            assert served.get("/healthz").status_code == 200
        assert served.ended(gate.job)["state"] == "done"


def test_what_does_not_end_in_time_is_ended_and_told(serving_repo, tmp_path):
    settings = settings_for(serving_repo, weights_dir=tmp_path, drain_seconds=0.2)
    with running(settings) as served, busy(served) as gate:
        waiting = served.job()
        served.service.drain()
        for found in (served.ended(gate.job), served.ended(waiting)):
            assert (found["state"], found["error"]["code"]) == ("cancelled", "draining")


def test_stopping_with_a_full_queue_takes_no_further_step(serving_repo, tmp_path):
    with ThreadPoolExecutor(1) as pool, running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        with busy(served, num_inference_steps=100) as gate:
            for n in range(8):
                served.job(num_inference_steps=100, width=64 + 8 * n)
            stopped = pool.submit(served.service.stop)
            until(lambda: not served.service.busy)
        stopped.result(PATIENCE)
        assert gate.reached == 1
        assert not served.service.life.alive


def test_full_disk_harms_no_request(served):
    wanted = pixels(served.draw(seed=3).content)
    content = photo((1200, 900)) + b"\0" * 2_000_000
    with full_disk(limit=0):
        found, redrawn = served.draw(seed=3), served.redraw(content)
    assert np.array_equal(pixels(found.content), wanted)
    assert redrawn.status_code == 200, redrawn.text


def test_picture_that_cannot_be_encoded_fails_its_job_alone(served, monkeypatch):
    monkeypatch.setattr("gentra_lora.service.jobs.service.png_of", lambda *_: 1 / 0)
    assert served.draw().status_code == 500
    monkeypatch.undo()
    assert served.draw().status_code == 200


def test_unknown_job_is_refused(served):
    with pytest.raises(ServiceError, match="no such job"):
        served.service.find("x")


def test_photos_are_not_kept_after_the_end(served):
    answer = served.redraw(photo())
    job = served.service.find(answer.headers["x-job-id"])
    assert all(request.photo is None for request in job.requests)
    assert not any(picture is not None for picture in job.pictures)
