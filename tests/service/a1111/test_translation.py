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


@pytest.mark.parametrize(
    ("values", "param", "message"),
    [
        ({"steps": 101}, "steps", "steps: must be at most 100"),
        ({"cfg_scale": 31}, "cfg_scale", "cfg_scale: must be at most 30"),
        ({"width": 65}, "width", "width: must be a multiple of 8"),
        ({"n_iter": 5}, "n_iter", "n_iter times batch_size is 5; this service makes at most 4 at once"),
        ({"override_settings": {"CLIP_stop_at_last_layers": 2}}, "override_settings", "which cannot be changed here"),
    ],
)
def test_refusal_names_the_field_that_was_sent(values, param, message):
    with pytest.raises(ServiceError) as refused, in_a1111s_words():
        drawn(**values)
    assert refused.value.param == param
    assert {found["field"] for found in refused.value.details} == {param}
    assert message in refused.value.message


def test_refusal_that_comes_later_is_told_in_the_same_words():
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
