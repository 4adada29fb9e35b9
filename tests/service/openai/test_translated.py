import pytest

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.openai.translated import in_openais_words, translated
from gentra_lora.service.openai.wishes import OpenAIEdit, OpenAIImage


@pytest.mark.parametrize(
    ("quality", "steps"),
    [(None, None), ("auto", None), ("medium", None), ("standard", None), ("low", 12), ("high", 50), ("hd", 50)],
)
def test_quality_is_a_share_of_the_usual_steps(quality, steps):
    assert translated(OpenAIImage(prompt="a", quality=quality), 25).num_inference_steps == steps


def test_steps_of_a_quality_stay_within_their_limits():
    assert translated(OpenAIImage(prompt="a", quality="high"), 80).num_inference_steps == 100
    assert translated(OpenAIImage(prompt="a", quality="low"), 1).num_inference_steps == 1


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"quality": "high", "num_inference_steps": 9}, "quality"),
        ({"input_fidelity": "high", "strength": 0.5}, "input_fidelity"),
        ({"size": "100x64"}, "size"),
    ],
)
def test_contradictions_are_refused_by_openais_name(values, param):
    with pytest.raises(ServiceError) as refused:
        translated(OpenAIEdit(prompt="a", **values), 25)
    assert refused.value.param == param


def test_fidelity_is_a_strength_and_size_two_sides():
    ours = translated(OpenAIEdit(prompt="a", input_fidelity="high", size="96x64", n=2), 25)
    assert (ours.strength, ours.width, ours.height, ours.num_images) == (0.3, 96, 64, 2)


def test_refusals_name_what_the_client_sent_and_the_sizes_that_can_be_done():
    def sizes():
        return "64x64 can be done"

    assert in_openais_words(refusal("num_images", "is 9"), sizes).param == "n"
    told = in_openais_words(refusal("height", "is 9"), sizes)
    assert (told.param, told.message) == ("size", "size does not fit: height is 9; 64x64 can be done")
    slow = in_openais_words(refusal("width", "is 9; 96x64 can be done"), sizes)
    assert slow.message == "size does not fit: width is 9; 96x64 can be done"
