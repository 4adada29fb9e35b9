import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from gentra_lora.pictures.record import RECORD


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_one_picture_is_answered_as_png_with_its_seed_and_weights_in_headers(served):
    answer = served.draw(seed=5)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-seed"] == "5"
    assert answer.headers["x-size"] == "64x64"
    revision = served.service.life.revision
    assert answer.headers["x-commit"] == revision.commit
    assert answer.headers["x-weights-sha256"] == revision.file["sha256"]
    assert pixels(answer.content).shape == (64, 64, 3)


def test_seed_that_was_not_given_is_told_and_makes_the_same_picture_again(served):
    first = served.draw()
    again = served.draw(seed=int(first.headers["x-seed"]))
    assert np.array_equal(pixels(first.content), pixels(again.content))


def test_json_holds_all_pictures_with_seeds_counted_on(served):
    answer = served.draw(seed=5, num_images=3).json()
    assert [picture["seed"] for picture in answer["images"]] == [5, 6, 7]
    alone = served.draw(seed=6)
    third = pixels(base64.b64decode(answer["images"][1]["b64_json"]))
    assert np.abs(third.astype(int) - pixels(alone.content)).max() <= 1


@pytest.mark.parametrize(
    ("accept", "count", "kind"),
    [
        ("*/*", 1, "image/png"),
        ("image/*", 1, "image/png"),
        ("application/json", 1, "application/json"),
        ("*/*", 2, "application/json"),
        ("image/png, application/json", 2, "application/json"),
        ("text/html, */*;q=0.8", 1, "image/png"),
        ("application/json;q=0.1, image/png", 1, "image/png"),
        ("image/png;q=0, application/json", 1, "application/json"),
    ],
)
def test_accept_header_chooses_png_or_json(served, accept, count, kind):
    answer = served.draw(num_images=count, headers={"Accept": accept})
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(("accept", "count"), [("text/html", 1), ("image/png", 2), ("image/jpeg", 1)])
def test_kind_of_answer_that_cannot_be_had_is_refused_before_the_work(served, accept, count):
    before = set(served.service.jobs)
    answer = served.draw(num_images=count, headers={"Accept": accept})
    assert answer.status_code == 406
    assert answer.json()["error"]["code"] == "not_acceptable"
    assert set(served.service.jobs) <= before


def test_absent_trigger_word_is_reported(served):
    answer = served.draw("a van")
    assert json.loads(answer.headers["x-warnings"]) == [
        "the prompt lacks the trigger word 'gentra'; the subject may not appear"
    ]
    assert json.loads(served.draw("a Gentra").headers["x-warnings"]) == []
    assert json.loads(served.draw("a van", lora_scale=0).headers["x-warnings"]) == []


def test_picture_and_json_hold_the_same_resolved_parameters(served):
    answer = served.draw(seed=5, headers={"Accept": "application/json"}).json()
    (picture,) = answer["images"]
    inside = json.loads(Image.open(io.BytesIO(base64.b64decode(picture["b64_json"]))).text[RECORD])
    assert inside == picture["parameters"]
    assert inside["num_inference_steps"] == 3
    assert inside["guidance_scale"] == 3.0
    assert inside["commit"] == served.service.life.revision.commit


def test_measured_seconds_are_told(served):
    timings = served.draw(headers={"Accept": "application/json"}).json()["timings"]
    assert set(timings) == {"queued", "denoising", "decoding"}
    assert timings["denoising"] > 0
