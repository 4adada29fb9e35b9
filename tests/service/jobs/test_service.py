import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gentra_lora.service.errors import ServiceError
from tests.conftest import full_disk
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_jobs import state
from tests.service.http.test_routes_pictures import photo
from tests.serving import running, settings_for, until


def test_full_queue_is_429_and_every_accepted_request_is_answered(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, max_queue=2)) as served:
        first = served.job(num_inference_steps=60, width=128)
        until(lambda: state(served, first)["state"] == "running")
        waiting = [served.job() for _ in range(2)]
        for answer in (served.draw(), served.redraw(photo()), served.post("/v1/jobs", json={"prompt": "a"})):
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["code"] == "queue_full"
        for job in [first, *waiting]:
            until(lambda job=job: state(served, job)["state"] == "done")
        assert served.draw().status_code == 200


def test_overload_is_told_before_a_body_is_read(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, max_queue=1)) as served:
        first = served.job(num_inference_steps=60, width=128)
        until(lambda: state(served, first)["state"] == "running")
        served.job()
        assert served.redraw(b"not a picture").status_code == 429
        for _ in range(5):
            assert served.redraw(b"\0" * 10_000_000).status_code == 429  # told though the client is still sending


def test_of_forty_requests_at_once_those_without_a_place_are_429_and_none_is_a_fault(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, max_queue=16)) as served:
        first = served.job(num_inference_steps=60, width=128)
        until(lambda: state(served, first)["state"] == "running")
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda n: served.draw(seed=n, num_inference_steps=60), range(40)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 16
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)


def test_sixteen_threads_that_count_tokens_at_once_do_not_fail(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        prompts = [f"a{n} " * 60 for n in range(200)]  # too long: refused once they are counted
        with ThreadPoolExecutor(16) as pool:
            statuses = set(pool.map(lambda prompt: served.draw(prompt).status_code, prompts))
        assert statuses == {422}


def test_draining_is_503_and_what_was_accepted_is_finished(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        job = served.job(num_inference_steps=40)
        served.service.drain()
        answer = served.draw()
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "draining"
        assert served.get("/readyz").status_code == 503
        assert served.get("/healthz").status_code == 200
        until(lambda: state(served, job)["state"] == "done")


def test_what_does_not_end_in_time_is_ended_and_told(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, drain_seconds=0.2)) as served:
        unet = served.service.life.worker.engine.unet
        forward = unet.forward
        unet.forward = lambda *args, **more: (time.sleep(0.1), forward(*args, **more))[1]
        jobs = [served.job(num_inference_steps=100), served.job(width=128)]
        served.service.drain()
        for job in jobs:
            found = until(lambda job=job: (found := state(served, job))["state"] != "running" and found)
            until(lambda job=job: state(served, job)["state"] == "cancelled", seconds=3)
            assert found


def test_stopping_with_a_full_queue_ends_within_seconds(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        for n in range(8):
            served.job(num_inference_steps=100, width=64 + 8 * n)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


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
