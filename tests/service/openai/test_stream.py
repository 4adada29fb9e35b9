import base64

import numpy as np
import pytest
from openai import APIError, UnprocessableEntityError

from gentra_lora.service.errors import ServiceError
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.service.openai.clients import opened
from tests.serving import gated
from tests.waiting import until


def streamed(client, **values):
    """Return the events of a generation of seed 3 in six steps."""
    more = {"seed": 3, "num_inference_steps": 6}
    return client.images.generate(prompt="a gentra", stream=True, extra_body=more, **values)


def test_partial_images_come_while_the_picture_is_drawn(client, served):
    with gated(served) as gate:
        stream = streamed(client, partial_images=2, output_format="webp", size="96x64")
        job = next(reversed(served.service.jobs.values()))
        until(lambda: job.previews_wanted)
        gate.let(3)  # of six steps
        events = [next(stream)]
    events += list(stream)
    *partial, last = events
    assert [event.type for event in partial] == ["image_generation.partial_image"] * len(partial)
    assert [event.partial_image_index for event in partial] == [*range(len(partial))] and len(partial) <= 2
    assert (last.type, last.size, last.usage.total_tokens) == ("image_generation.completed", "96x64", 0)
    for event in events:
        assert opened(event.b64_json).size == (96, 64) and opened(event.b64_json).format == "WEBP"


def test_streamed_picture_is_our_own(client, served):
    (event,) = streamed(client)
    wanted = served.draw(seed=3, num_inference_steps=6).content
    assert np.array_equal(pixels(base64.b64decode(event.b64_json)), pixels(wanted))


def test_each_of_several_pictures_is_an_event(client):
    assert [event.type for event in streamed(client, n=2)] == ["image_generation.completed"] * 2


def test_edits_stream_under_their_own_name(client):
    events = client.images.edit(
        image=("a.png", photo()), prompt="a gentra", stream=True, partial_images=1, extra_body={"strength": 0.9}
    )
    assert {event.type.split(".")[0] for event in events} == {"image_edit"}


@pytest.mark.parametrize(
    ("field", "more"),
    [("partial_images", {"partial_images": 1, "n": 2}), ("response_format", {"response_format": "url"})],
)
def test_what_a_stream_cannot_hold_is_refused_before_it_begins(client, field, more):
    with pytest.raises(UnprocessableEntityError) as refused:
        streamed(client, **more)
    assert refused.value.param == field


def test_reader_that_goes_away_cancels_its_job(client, served):
    with gated(served) as gate:
        events = streamed(client, partial_images=3)
        gate.wait()
        job = next(reversed(served.service.jobs.values()))
        events.close()
        until(lambda: job.ended)
    assert job.state == "cancelled"


def test_what_fails_meanwhile_is_told_in_the_stream(client, served):
    with gated(served) as gate:
        events = streamed(client)
        gate.wait()
        next(reversed(served.service.jobs.values())).end("failed", ServiceError(500, "not_finite", "is not finite"))
        with pytest.raises(APIError, match="is not finite"):
            list(events)
