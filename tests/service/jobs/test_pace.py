import pytest

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.pace import Pace, check_time, limit_of
from gentra_lora.service.settings import ServiceSettings
from tests.tiny_engine import request


def test_larger_pictures_more_steps_and_guidance_take_longer():
    pace = Pace()
    pace.measured(request(width=64, height=64, num_inference_steps=4, guidance_scale=1), 1, 2.0)
    assert pace.seconds(request(width=64, height=64, num_inference_steps=4, guidance_scale=1)) == pytest.approx(2)
    assert pace.seconds(request(width=128, height=64, num_inference_steps=8, guidance_scale=1)) == pytest.approx(8)
    assert pace.seconds(request(width=64, height=64, num_inference_steps=4, guidance_scale=3)) == pytest.approx(4)


def test_quickest_batch_counts_as_a_busy_machine_says_little():
    pace = Pace()
    for pictures, seconds in ((1, 2.0), (4, 4.0), (1, 9.0)):
        pace.measured(request(), pictures, seconds)
    assert pace.seconds(request()) == pytest.approx(1)


def test_sweep_has_the_time_of_the_requests_that_it_stands_for():
    settings = ServiceSettings(time_limit=100, max_images=4)
    assert [limit_of(pictures, settings) for pictures in (1, 4, 5, 25)] == [100, 100, 200, 700]


def test_what_is_far_larger_than_all_before_is_not_foretold():
    pace = Pace()
    pace.measured(request(width=64, height=64), 1, 2.0)
    assert pace.seconds(request(width=136, height=128)) == 0
    assert Pace().seconds(request()) == 0


DEFAULTS = {"width": 256, "height": 256}


def paced(seconds):
    """Return a Pace by which a picture of 256 px takes so long."""
    pace = Pace()
    pace.measured(request(width=256, height=256), 1, seconds)
    return pace


def test_size_that_cannot_be_done_in_time_is_refused_with_those_that_can():
    settings = ServiceSettings(time_limit=100, max_side=768)
    check_time([request(width=512, height=512)], DEFAULTS, settings, paced(20))
    with pytest.raises(ServiceError, match="512 x 512, which takes 120 s .* 256x256 can be done") as refused:
        check_time([request(width=512, height=512)], DEFAULTS, settings, paced(30))
    assert (refused.value.status, refused.value.param) == (422, "width")
    with pytest.raises(ServiceError, match="; 256x256 can be done"):
        check_time([request(width=512, height=512)] * 2, DEFAULTS, settings, paced(20))


def test_size_of_the_training_is_never_refused_for_its_time():
    check_time([request(width=256, height=256)], DEFAULTS, ServiceSettings(time_limit=1), paced(20))
