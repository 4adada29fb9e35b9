import numpy as np
import pytest
from openai import NotFoundError, UnprocessableEntityError

from gentra_lora.service.jobs.pace import Pace
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.service.openai.clients import opened
from tests.tiny_engine import request

NEUTRAL = {
    "model": "gpt-image-1",
    "quality": "medium",
    "style": "natural",
    "moderation": "low",
    "background": "opaque",
    "user": "u",
    "safety_identifier": "s",
    "output_format": "png",
    "output_compression": 100,
    "stream": False,
    "partial_images": 0,
    "size": "64x64",
    "n": 1,
}


@pytest.fixture(scope="module")
def plain(served):
    """Our own answer to seed 3, three steps."""
    return pixels(served.draw(seed=3).content)


def test_fields_that_cannot_change_a_picture_do_not(client, plain):
    answer = client.images.generate(prompt="a gentra", extra_body={"seed": 3}, **NEUTRAL)
    assert np.array_equal(np.asarray(opened(answer.data[0].b64_json)), plain)
    assert (answer.size, answer.quality, answer.output_format, answer.background) == (
        "64x64",
        "medium",
        "png",
        "opaque",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("background", "transparent"),
        ("style", "vivid"),
        ("quality", "max"),
        ("output_format", "gif"),
        ("complexity", "high"),
        ("frame_count", 4),
        ("size", "65x64"),
        ("size", "4096x64"),
        ("n", 9),
        ("output_compression", 50),
    ],
)
def test_fields_that_would_change_it_and_cannot_be_done_are_refused_by_name(client, field, value):
    with pytest.raises(UnprocessableEntityError) as refused:
        client.images.generate(prompt="a gentra", **{field: value})
    assert refused.value.param == field


def test_quality_is_the_number_of_steps(client, served):
    asked = {"prompt": "a gentra", "extra_body": {"seed": 3}}
    answer = client.images.generate(quality="high", **asked)
    wanted = pixels(served.draw(seed=3, num_inference_steps=6).content)
    assert np.array_equal(np.asarray(opened(answer.data[0].b64_json)), wanted)
    assert answer.quality == "high"


def test_edit_is_our_own_redrawing(client, served):
    edited = client.images.edit(
        image=("photo.png", photo()), prompt="a gentra", input_fidelity="low", extra_body={"seed": 3, "strength": 0.7}
    )
    wanted = pixels(served.redraw(photo(), seed=3, strength=0.7).content)
    assert np.array_equal(np.asarray(opened(edited.data[0].b64_json)), wanted)


def test_edits_fidelity_keeps_more_of_the_photo_and_its_format_is_heeded(client, served):
    found = {}
    for fidelity in ("low", "high"):
        answer = client.images.edit(
            image=[("photo.png", photo())],
            prompt="a gentra",
            size="96x64",
            output_format="webp",
            input_fidelity=fidelity,
            extra_body={"seed": 3, "num_inference_steps": 10},
        )
        picture = opened(answer.data[0].b64_json)
        assert picture.size == (96, 64) and picture.format == "WEBP"
        found[fidelity] = np.asarray(picture).astype(int)
    asked = {"width": 96, "height": 64, "seed": 3, "num_inference_steps": 10}
    ours = [pixels(served.redraw(photo(), strength=strength, **asked).content).astype(int) for strength in (0.5, 0.3)]
    assert np.abs(found["low"] - ours[0]).mean() < np.abs(found["low"] - ours[1]).mean()
    assert np.abs(found["high"] - ours[1]).mean() < np.abs(found["high"] - ours[0]).mean()


def test_models_are_the_adapter_that_is_served(client):
    assert [model.id for model in client.models.list()] == ["sport_gentra_lora"]
    assert client.models.retrieve("sport_gentra_lora").object == "model"
    with pytest.raises(NotFoundError, match="sport_gentra_lora"):
        client.models.retrieve("dall-e-3")


def test_picture_that_is_not_there_is_404(served):
    assert served.get("/v1/images/x/0").status_code == 404


def test_client_that_takes_no_json_is_refused(served):
    answer = served.post("/v1/images/generations", json={"prompt": "a"}, headers={"Accept": "image/png"})
    assert answer.status_code == 406


def test_size_that_takes_too_long_here_is_refused_with_those_that_can_be_done(client, served, monkeypatch):
    pace, steps = Pace(), {"num_inference_steps": 3, "guidance_scale": 3.0}
    pace.measured(request(width=64, height=64, **steps), 1, served.service.settings.time_limit * 0.9)
    monkeypatch.setattr(served.service.queue, "pace", pace)
    with pytest.raises(UnprocessableEntityError, match="128 x 64, which takes .* 64x64 can be done") as refused:
        client.images.generate(prompt="a gentra", size="128x64", extra_body=steps)
    assert refused.value.param == "size"
    with pytest.raises(UnprocessableEntityError, match="at most 1024 px; 64x64 can be done"):
        client.images.generate(prompt="a gentra", size="2048x64", extra_body=steps)
