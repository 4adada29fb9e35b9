import base64
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from gentra_lora.pictures.engine import NotFiniteError
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.serving import busy, gated, running, settings_for
from tests.waiting import PATIENCE, until


def engine_of(served):
    return served.service.life.worker.engine


@pytest.fixture
def counted(served, monkeypatch):
    """How many rows the denoiser was asked for in each step."""
    unet, rows = engine_of(served).unet, []
    forward = unet.forward

    def count(latents, *args, **more):
        rows.append(len(latents))
        return forward(latents, *args, **more)

    monkeypatch.setattr(unet, "forward", count)
    return rows


def faulty(served, monkeypatch, error, times=1):
    """Let the denoiser fail."""
    unet, left = engine_of(served).unet, [times]
    forward = unet.forward

    def fail(*args, **more):
        if left[0]:
            left[0] -= 1
            raise error
        return forward(*args, **more)

    monkeypatch.setattr(unet, "forward", fail)


def open_request(served, **values):
    """Send a request and return its connection, the answer unread."""
    place = urlsplit(served.url)
    connection = socket.create_connection((place.hostname, place.port), PATIENCE)
    body = json.dumps({"prompt": "a gentra"} | values).encode()
    connection.sendall(
        f"POST /v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return connection


def test_out_of_memory_inside_the_denoiser_is_told_and_the_next_request_is_right(served, monkeypatch):
    wanted = pixels(served.draw(seed=3).content)
    faulty(served, monkeypatch, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    answer = served.draw(seed=3)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "out_of_memory"
    assert np.array_equal(pixels(served.draw(seed=3).content), wanted)


def test_batch_that_runs_out_of_memory_is_made_one_by_one(served, monkeypatch, counted):
    wanted = [served.draw(seed=seed).content for seed in (3, 4)]
    faulty(served, monkeypatch, torch.OutOfMemoryError("CUDA out of memory"))
    answer = served.draw(seed=3, num_images=2)
    assert answer.status_code == 200, answer.text
    for picture, png in zip(answer.json()["images"], wanted, strict=True):
        found = pixels(base64.b64decode(picture["b64_json"])).astype(int)
        assert np.abs(found - pixels(png)).max() <= 1
    assert max(counted) == 2  # guidance asks twice for a picture


def test_one_picture_that_is_not_finite_fails_its_job_alone_and_no_other_is_made_again(served, monkeypatch, counted):
    engine, calls = engine_of(served), []
    pixels_of = engine.pixels

    def broken(latents):
        calls.append(1)
        if len(calls) == 2:
            raise NotFiniteError("the picture is not finite")
        return pixels_of(latents)

    with busy(served):
        jobs = [served.job(seed=n) for n in range(4)]
        monkeypatch.setattr(
            engine, "pixels", lambda latents: pixels_of(latents) if latents.shape[-1] == 32 else broken(latents)
        )
    ended = [served.ended(job) for job in jobs]
    assert sorted(found["state"] for found in ended) == ["done", "done", "done", "failed"]
    assert len(calls) == 4
    assert all(found["step"] == found["steps"] for found in ended)


def test_worker_that_ends_leaves_nobody_waiting_and_is_told_by_healthz(serving_repo, tmp_path, monkeypatch):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        monkeypatch.setattr("gentra_lora.service.jobs.worker._free_memory", lambda: 1 / 0)
        faulty(served, monkeypatch, RuntimeError("device lost"), times=9)
        assert served.draw(num_inference_steps=2).status_code == 500
        until(lambda: served.get("/healthz").status_code == 503)
        assert served.get("/readyz").status_code == 503
        assert served.draw().status_code == 503


def test_seconds_of_a_batch_count_once_for_a_job(served):
    answer = served.draw(num_images=4, num_inference_steps=20)
    assert answer.json()["timings"]["denoising"] < answer.elapsed.total_seconds()


def test_fault_of_our_own_is_a_500_without_a_traceback_or_a_path(served, monkeypatch):
    faulty(served, monkeypatch, RuntimeError("/root/secret/place: broken"))
    answer = served.draw()
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "secret" not in answer.text
    assert answer.json()["request_id"]


def test_picture_that_is_not_finite_is_an_error_not_black(served, monkeypatch):
    bias = engine_of(served).vae.decoder.conv_out.bias
    monkeypatch.setattr(bias, "data", torch.full_like(bias, float("nan")))
    answer = served.draw()
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "not_finite"
    monkeypatch.undo()
    assert served.draw().status_code == 200


def test_waiting_requests_that_fit_are_denoised_together(served, counted):
    with busy(served):
        jobs = [served.job(seed=n, lora_scale=n / 4) for n in range(4)]
    assert [served.ended(job)["state"] for job in jobs] == ["done"] * 4
    assert 8 in counted  # four pictures with guidance


def test_pictures_of_a_batch_are_those_made_alone(served):
    alone = [pixels(served.draw(seed=n, lora_scale=n / 4, prompt=f"gentra {n}").content) for n in range(4)]
    with busy(served):
        jobs = [served.job(seed=n, lora_scale=n / 4, prompt=f"gentra {n}") for n in range(4)]
    for job, wanted in zip(jobs, alone, strict=True):
        served.ended(job)
        found = pixels(served.get(f"/v1/jobs/{job}/images/0").content)
        assert np.abs(found.astype(int) - wanted).max() <= 1


def test_time_limit_cancels_at_the_next_step_and_nothing_runs_beside_the_next_job(served):
    with ThreadPoolExecutor(1) as pool, gated(served) as gate:
        asked = pool.submit(served.draw, num_inference_steps=100)
        gate.let(2)
        gate.wait(3)
        (place,) = served.service.life.worker.running
        assert place.job.deadline == place.job.created + served.service.settings.time_limit
        place.job.deadline = place.job.created
        gate.let(1)
        answer = asked.result()
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "time_limit"
        until(lambda: not served.service.life.worker.running)
        assert gate.reached == 3
    assert served.draw(num_inference_steps=1).status_code == 200


def test_time_limit_of_a_waiting_job_does_not_wait_for_its_turn(served):
    with ThreadPoolExecutor(1) as pool, busy(served) as gate:
        asked = pool.submit(served.draw)
        (waiting,) = until(served.service.queue.jobs)
        waiting.deadline = waiting.created
        gate.let(1)
        answer = asked.result()
        assert answer.status_code == 504
        assert served.state(gate.job)["state"] == "running"
        assert not served.service.queue.jobs()  # its place is free


def test_client_that_goes_away_in_the_queue_frees_its_place(served):
    with busy(served):
        connection = open_request(served)
        until(served.service.queue.jobs)
        connection.close()
        until(lambda: not served.service.queue.jobs())


def test_client_that_goes_away_at_work_frees_the_denoiser_within_a_step(served):
    with gated(served) as gate:
        connection = open_request(served, num_inference_steps=100)
        gate.let(2)
        gate.wait(3)
        (place,) = served.service.life.worker.running
        connection.close()
        until(lambda: place.job.ended)
        gate.let(1)
        until(lambda: not served.service.life.worker.running)
        assert gate.reached == 3
    assert served.draw().status_code == 200


def test_client_that_goes_away_leaves_the_others_of_its_batch_as_they_would_be(served, counted):
    wanted = pixels(served.draw(seed=5, num_inference_steps=6).content)
    with busy(served, num_inference_steps=1) as gate:
        connection, job = open_request(served, num_inference_steps=6), served.job(seed=5, num_inference_steps=6)
        until(lambda: len(served.service.queue.jobs()) == 2)
        gate.let(1 + 3)
        gate.wait(1 + 4)
        (gone,) = {place.job for place in served.service.life.worker.running} - {served.service.find(job)}
        connection.close()
        until(lambda: gone.ended)
    assert served.ended(job)["state"] == "done"
    assert counted[-3:] == [4, 2, 2]  # two pictures with guidance, then its picture alone
    found = pixels(served.get(f"/v1/jobs/{job}/images/0").content)
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_client_that_goes_away_in_the_middle_of_its_upload_leaves_nothing(served):
    place = urlsplit(served.url)
    content = photo()
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(
            b"POST /v1/img2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b'Content-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
            + content
        )
    assert served.redraw(content).status_code == 200
    assert not served.service.queue.jobs()


def test_no_two_pictures_are_ever_made_at_once(served, monkeypatch):
    unet, inside, threads = engine_of(served).unet, [0], set()
    forward = unet.forward

    def watched(*args, **more):
        inside[0] += 1
        assert inside[0] == 1
        threads.add(threading.get_ident())
        try:
            return forward(*args, **more)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(unet, "forward", watched)
    calls = [threading.Thread(target=served.draw, kwargs={"width": 64 + 8 * n}) for n in range(6)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(threads) == 1
