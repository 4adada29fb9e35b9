import base64
import io
import json
import re
from importlib.resources import files

import fastapi.routing
import numpy as np
import pytest
from PIL import Image

from gentra_lora.service.bodies.objects import JSON_BYTES
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.serving import busy, gated, running, settings_for
from tests.waiting import until


def white_box():
    """Return a mask of the photo: its middle may change."""
    mask = Image.new("L", (96, 64))
    mask.paste(255, (32, 16, 64, 48))
    with io.BytesIO() as buffer:
        mask.save(buffer, "PNG")
        return buffer.getvalue()


def events(served, job):
    """Yield (name, values) of a job's events."""
    with served.get(f"/v1/jobs/{job}/events", stream=True) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = None
        for line in answer.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_job_is_accepted_with_links_and_its_picture_is_that_of_the_direct_call(served):
    answer = served.post("/v1/jobs", json={"prompt": "a gentra", "seed": 3})
    assert answer.status_code == 202
    assert answer.headers["location"] == answer.json()["links"]["self"]
    done = served.ended(answer.json()["id"])
    (picture,) = done["images"]
    assert picture["seed"] == 3
    assert done["timings"]["denoising"] > 0
    found = served.get(picture["url"])
    assert found.headers["content-type"] == "image/png"
    assert np.array_equal(pixels(found.content), pixels(served.draw(seed=3).content))


def test_photo_can_be_a_job(served):
    answer = served.post("/v1/jobs", files={"image": photo()}, data={"prompt": "a gentra", "strength": "0.7"})
    assert answer.status_code == 202, answer.text
    done = served.ended(answer.json()["id"])
    assert done["images"][0]["parameters"]["strength"] == 0.7


@pytest.mark.parametrize("large", [False, True])
def test_photo_and_mask_can_be_a_job_in_json(served, large):
    texts = [base64.b64encode(content).decode() for content in (photo(), white_box())]
    image, mask = [f"{text}{chr(10) * JSON_BYTES}" for text in texts] if large else texts
    values = {"prompt": "a gentra", "seed": 3, "strength": 0.7}
    answer = served.post("/v1/jobs", json=values | {"image": image, "mask": mask})
    assert answer.status_code == 202, answer.text
    found = served.get(served.ended(answer.json()["id"])["images"][0]["url"])
    direct = served.post("/v1/img2img", files={"image": photo(), "mask": white_box()}, data=values)
    assert np.array_equal(pixels(found.content), pixels(direct.content))


@pytest.mark.parametrize(
    ("values", "status", "param"),
    [
        ({"mask": "AAAA"}, 422, "image"),
        ({"image": "AAAA"}, 415, "image"),
        ({"strength": 0.5}, 422, "strength"),
        ({"image": base64.b64encode(photo()).decode(), "mask": "x"}, 422, "mask"),
    ],
)
def test_json_that_holds_no_photo_that_can_be_one_is_refused_by_its_field(served, values, status, param):
    answer = served.post("/v1/jobs", json={"prompt": "a gentra"} | values)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_events_count_the_steps_show_previews_and_end_with_the_pictures(served):
    with gated(served) as gate:
        job = served.job(num_inference_steps=30)
        gate.wait()
        watched = events(served, job)
        told = [next(watched)]
        gate.let(1)
        told.append(next(watched))  # it was read before the next one could take its place
        gate.let()
        told += watched
    steps = [values for name, values in told if name == "step"]
    assert [values["step"] for values in steps] == sorted(values["step"] for values in steps)
    assert {values["steps"] for values in steps} == {30}
    ((kind, data),) = [preview.split(",") for preview in steps[-1]["previews"]]
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (16, 16)
    name, last = told[-1]
    assert (name, last["state"], last["id"]) == ("done", "done", job)


def test_sweep_is_one_job_with_previews_of_all_cells_and_pictures_as_if_alone(served):
    values = {"seed": 3, "lora_scales": [0, 1], "strengths": [0.7, 1], "width": 96, "height": 64}
    with gated(served) as gate:
        data = {"prompt": "a gentra"} | values | {"lora_scales": "0,1"}  # the other list as a field that is there twice
        job = served.post("/v1/jobs", files={"image": photo()}, data=data).json()["id"]
        gate.wait()
        watched = events(served, job)
        next(watched)
        gate.let()
        told = list(watched)
    assert all(told[-2][1]["previews"]) and len(told[-2][1]["previews"]) == 4
    done = told[-1][1]
    cells = [(picture["parameters"]["lora_scale"], picture["parameters"]["strength"]) for picture in done["images"]]
    assert cells == [(0, 0.7), (0, 1), (1, 0.7), (1, 1)]
    assert {picture["seed"] for picture in done["images"]} == {3}
    for (scale, strength), picture in zip(cells, done["images"], strict=True):
        alone = served.redraw(photo(), seed=3, width=96, height=64, lora_scale=scale, strength=strength)
        made = pixels(served.get(picture["url"]).content).astype(int)
        assert np.abs(made - pixels(alone.content)).max() <= 1  # beside others in a batch


def test_cancelling_a_sweep_ends_all_of_it(served):
    with gated(served) as gate:
        job = served.post("/v1/jobs", json={"prompt": "a gentra", "lora_scales": [0, 0.5, 1], "num_images": 4}).json()
        gate.wait()
        assert served.cancel(job["id"]).json()["state"] == "cancelled"
        gate.let(1)
        until(lambda: not served.service.life.worker.running)
    assert not served.service.queue.jobs()


def test_events_of_two_jobs_are_each_of_its_own(served):
    with busy(served):
        jobs = {served.job(num_inference_steps=9): 9, served.job(num_inference_steps=7, num_images=2): 14}
        watched = {job: events(served, job) for job in jobs}
        assert [next(told)[0] for told in watched.values()] == ["queued"] * 2
    for job, steps in jobs.items():
        told = list(watched[job])
        assert {values["id"] for name, values in told if name == "done"} == {job}
        assert {values["steps"] for name, values in told if name == "step"} <= {steps}
        assert told[-1][1]["step"] == steps


def test_event_is_a_name_and_json_on_a_line_each_and_no_proxy_holds_it_back(served):
    job = served.job()
    done = served.ended(job)
    answer = served.get(f"/v1/jobs/{job}/events")
    name, data, *rest = answer.text.split("\n")
    assert (name, rest) == ("event: done", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == done
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")


def test_comments_break_the_silence_before_the_page_takes_the_connection_for_dead(served, monkeypatch):
    page = (files("gentra_lora.service") / "page/events.js").read_text()
    silence = int(re.search(r"SILENCE = (\d+)_000", page)[1])
    assert silence > fastapi.routing._PING_INTERVAL
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.01)
    with busy(served):
        job = served.job()
        with served.get(f"/v1/jobs/{job}/events", stream=True) as answer:
            assert any(line.startswith(":") for line in answer.iter_lines(decode_unicode=True))
        served.cancel(job)


def test_events_of_a_job_that_has_ended_are_its_end(served):
    job = served.job()
    served.ended(job)
    ((name, values),) = events(served, job)
    assert (name, values["images"][0]["url"]) == ("done", f"/v1/jobs/{job}/images/0")


def test_waiting_job_is_told_its_position(served):
    with busy(served):
        jobs = [served.job(width=64 + 8 * n) for n in range(2)]
        name, values = next(events(served, jobs[-1]))
    assert (name, values["position"]) == ("queued", 2)


def test_job_is_cancelled_within_a_step_and_the_next_is_right(served):
    wanted = pixels(served.draw(seed=8).content)
    with gated(served) as gate:
        job = served.job(num_inference_steps=100)
        gate.let(3)
        gate.wait(4)
        cancelled = served.cancel(job).json()
        assert (cancelled["state"], cancelled["step"], cancelled["images"]) == ("cancelled", 3, [])
        gate.let(1)
        until(lambda: not served.service.life.worker.running)
        assert gate.reached == 4
    assert served.state(job)["error"]["code"] == "cancelled"
    assert np.array_equal(pixels(served.draw(seed=8).content), wanted)


def test_cancelling_twice_or_after_the_end_changes_nothing(served):
    job = served.job()
    served.ended(job)
    for _ in range(2):
        assert served.cancel(job).json()["state"] == "done"


@pytest.mark.parametrize("path", ["/v1/jobs/none", "/v1/jobs/none/events", "/v1/jobs/none/images/0"])
def test_job_that_is_not_there_is_404(served, path):
    assert served.get(path).status_code == 404


def test_picture_before_the_end_and_beyond_the_last_is_404(served):
    with busy(served) as gate:
        assert served.get(f"/v1/jobs/{gate.job}/images/0").status_code == 404
    assert served.ended(gate.job)["state"] == "done"
    assert served.get(f"/v1/jobs/{gate.job}/images/1").status_code == 404


@pytest.mark.parametrize("path", ["/v1/jobs/a/images/x", "/v1/jobs/a/images/-1", "/v1/jobs/%20"])
def test_path_that_cannot_be_one_is_422_in_the_shape_of_all_errors(served, path):
    answer = served.get(path)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "request_id"}


def test_ended_jobs_are_forgotten_beyond_their_number_and_their_time(serving_repo, tmp_path):
    settings = settings_for(serving_repo, weights_dir=tmp_path, jobs_kept=2, job_seconds_kept=3600)
    with running(settings) as served:
        jobs = []
        for _ in range(4):
            jobs.append(served.job())
            served.ended(jobs[-1])
        assert [served.get(f"/v1/jobs/{job}").status_code for job in jobs] == [404, 404, 200, 200]
        served.service.settings.job_seconds_kept = 0.01
        until(lambda: served.get(f"/v1/jobs/{jobs[-1]}").status_code == 404)


def test_reader_of_events_that_goes_away_does_not_end_the_job(served):
    with busy(served) as gate:
        watched = events(served, gate.job)
        next(watched)
        watched.close()
    assert served.ended(gate.job)["state"] == "done"
    until(lambda: served.service.find(gate.job).previews_wanted == 0)
