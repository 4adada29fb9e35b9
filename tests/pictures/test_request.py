import numpy as np
import pytest
from PIL import Image

from gentra_lora.pictures.request import fitted, size_of_photo, steps_of, steps_of_schedule
from gentra_lora.pictures.sampling_pipeline import GenerationError
from tests.tiny_engine import PHOTO, photo_request, request


def test_strength_of_less_than_one_step_is_refused_with_the_least_that_is_enough():
    with pytest.raises(GenerationError, match=r"strength: 0\.3 of 3 steps is less than one step; at least 0\.334 is"):
        photo_request(num_inference_steps=3, strength=0.3)


def test_strength_that_the_refusal_names_is_enough():
    for steps in range(1, 1001):
        with pytest.raises(GenerationError) as caught:
            photo_request(num_inference_steps=steps, strength=0.5 / steps)
        least = float(str(caught.value).split("at least ")[1].split(" ")[0])
        assert photo_request(num_inference_steps=steps, strength=least).steps_run >= 1


def test_share_of_steps_is_not_lost_to_rounding():
    assert int(100 * 0.29) == 28
    assert photo_request(num_inference_steps=100, strength=0.29).steps_run == 29
    for steps in range(1, 201):
        assert all(steps_of(steps, wanted / steps) == wanted for wanted in range(1, steps + 1))


def test_whole_strength_takes_every_step_and_none_is_a_picture_of_the_prompt():
    assert photo_request(num_inference_steps=7, strength=1.0).steps_run == 7
    assert request(num_inference_steps=7).steps_run == 7


def test_guidance_begins_above_one():
    assert [request(guidance_scale=scale).guided for scale in (0.0, 1.0, 1.01)] == [False, False, True]


def test_pictures_share_a_batch_whatever_their_prompt_seed_and_strengths():
    others = {"prompt": "a van", "seed": 2, "guidance_scale": 5.0, "negative_prompt": "rain", "lora_scale": 0.0}
    assert request(**others).batch_key == request().batch_key


@pytest.mark.parametrize(
    "change",
    [{"width": 128}, {"height": 128}, {"num_inference_steps": 5}, {"sampler": "ddim"}, {"guidance_scale": 1.0}],
)
def test_pictures_of_other_shape_or_steps_do_not_share_a_batch(change):
    assert request(**change).batch_key != request().batch_key


def test_photos_share_a_batch_only_at_one_strength():
    assert photo_request().batch_key != request(num_inference_steps=6).batch_key
    assert photo_request(strength=0.5).batch_key != photo_request(strength=1.0).batch_key


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((4000, 3000), (592, 440)), ((512, 512), (512, 512)), ((100, 200), (360, 728)), ((900, 30), (2808, 96))],
)
def test_size_of_a_photo_keeps_its_shape_at_the_wanted_area(size, wanted):
    found = size_of_photo(size, 512 * 512)
    assert found == wanted
    assert all(side % 8 == 0 for side in found)


def test_photo_is_fitted_from_its_centre():
    middle = PHOTO.crop((16, 0, 80, 64))
    assert np.array_equal(np.array(fitted(PHOTO, 64, 64)), np.array(middle))


def test_photo_of_the_very_size_stays_as_it_is():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))
    assert np.array_equal(np.array(fitted(noise, 48, 64)), np.array(noise))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mask": Image.new("L", (64, 96), 255)}, "mask: is 64 x 96 px, and the photo 96 x 64; make it of the photo's"),
        ({"mask": Image.new("L", (96, 64), 255), "photo": None}, "mask: says what may change of a photo, and there is"),
        ({"mask": Image.new("L", (96, 64))}, "mask: keeps every pixel of it: all is black; paint white what may"),
    ],
)
def test_mask_that_cannot_say_what_may_change_is_refused(values, message):
    with pytest.raises(GenerationError, match=message):
        photo_request(**values)


def test_mask_whose_white_is_cut_off_is_refused():
    mask = Image.new("L", (96, 64))
    mask.paste(255, (0, 0, 16, 64))
    assert photo_request(mask=mask, width=96).mask is mask
    with pytest.raises(GenerationError, match="mask: keeps every pixel of the part that is drawn"):
        photo_request(mask=mask)


def test_photos_with_and_without_a_mask_share_a_batch():
    assert photo_request(mask=Image.new("L", (96, 64), 255)).batch_key == photo_request().batch_key


def test_schedule_is_as_long_as_the_wanted_steps_need_at_a_strength():
    assert [steps_of_schedule(20, strength) for strength in (1.0, 0.5, 0.3)] == [20, 40, 67]
    with pytest.raises(GenerationError, match=r"strength 0\.001 with 2 steps needs a schedule of 2000 steps"):
        steps_of_schedule(2, 0.001)
