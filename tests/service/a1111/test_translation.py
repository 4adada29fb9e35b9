import pytest

from gentra_lora.service.a1111.schemas import A1111ImageToImage, A1111TextToImage
from gentra_lora.service.a1111.translation import check_options, in_a1111s_words, translated
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import ImageToImage, TextToImage

OPTIONS = {"sd_model_checkpoint": "base", "CLIP_stop_at_last_layers": 1}


def drawn(**values):
    return translated(A1111TextToImage(prompt="a", **values), TextToImage, OPTIONS, max_images=4)


def test_what_is_left_out_is_left_to_the_service():
    assert drawn().model_dump(exclude_none=True) == {
        "prompt": "a",
        "negative_prompt": "",
        "num_images": 1,
        "sampler": "dpmpp_2m",
    }


def test_values_come_under_our_names():
    values = {"seed": 0, "steps": 7, "cfg_scale": 5, "width": 64, "height": 72, "negative_prompt": "b"}
    found = drawn(**values, n_iter=2, batch_size=2, sampler_name="Euler", sampler_index="Heun")
    assert (found.seed, found.num_inference_steps, found.guidance_scale, found.num_images) == (0, 7, 5.0, 4)
    assert (found.width, found.height, found.negative_prompt, found.sampler) == (64, 72, "b", "euler")
    asked = A1111ImageToImage(prompt="a", init_images=[""], denoising_strength=0.3)
    assert translated(asked, ImageToImage, OPTIONS, 4).strength == 0.3


@pytest.mark.parametrize("values", [{"n_iter": 5}, {"n_iter": 3, "batch_size": 2}, {"batch_size": 10**9}])
def test_more_pictures_than_are_made_at_once_are_refused(values):
    with pytest.raises(ServiceError, match=r"^n_iter times batch_size is \d+; this service makes at most 4"):
        drawn(**values)


def test_refusal_names_the_field_that_was_sent():
    with pytest.raises(ServiceError) as refused, in_a1111s_words():
        raise refusal("strength", "is too low for 3 steps")
    assert (refused.value.param, refused.value.message) == (
        "denoising_strength",
        "denoising_strength is too low for 3 steps",
    )


def test_options_may_be_wished_as_they_are_and_no_others():
    check_options(OPTIONS | {"CLIP_stop_at_last_layers": None}, OPTIONS)
    for wished in ({"sd_model_checkpoint": "other"}, {"no_such_option": 1}):
        with pytest.raises(ServiceError) as refused:
            check_options(wished, OPTIONS)
        assert [refused.value.param] == list(wished)
    with pytest.raises(ServiceError, match="^override_settings holds 'CLIP_stop_at_last_layers', which cannot be"):
        drawn(override_settings={"CLIP_stop_at_last_layers": 2})


def test_long_name_of_an_option_is_not_repeated_as_a_whole():
    with pytest.raises(ServiceError) as refused:
        check_options({"a" * 100_000: 1}, OPTIONS)
    assert len(refused.value.message) < 200
