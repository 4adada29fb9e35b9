import json

import pytest
from pydantic import ValidationError

from gentra_lora.service.jobs.schemas import ImageToImage, Reload, TextToImage


def parsed(**values):
    return TextToImage.model_validate_json(json.dumps({"prompt": "a"} | values), strict=True)


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": "a\0b"},
        {"prompt": "\x1b[2J"},
        {"prompt": "a" * 2001},
        {"prompt": None},
        {"prompt": ["a"]},
        {"negative_prompt": None},
        {"seed": -1},
        {"seed": 2**53},
        {"seed": 1.5},
        {"seed": "5"},
        {"seed": True},
        {"num_inference_steps": 0},
        {"num_inference_steps": -1},
        {"num_inference_steps": 101},
        {"guidance_scale": float("nan")},
        {"guidance_scale": float("inf")},
        {"guidance_scale": 1e9},
        {"guidance_scale": -1},
        {"width": 0},
        {"width": -8},
        {"width": 65},
        {"width": 56},
        {"width": 2056},
        {"height": 512.5},
        {"num_images": 0},
        {"num_images": 17},
        {"lora_scale": float("nan")},
        {"lora_scale": -0.1},
        {"lora_scale": 2.1},
        {"sampler": "pndm"},
        {"steps": 5},
        {"strength": 0.5},
    ],
)
def test_value_beyond_its_limits_or_unknown_is_refused(values):
    with pytest.raises(ValidationError):
        parsed(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "спорт гентра 🚗\nна снегу"},
        {"seed": 0},
        {"seed": 2**53 - 1},
        {"guidance_scale": 0},
        {"guidance_scale": 30},
        {"lora_scale": 2},
        {"num_inference_steps": 100},
        {"width": 64, "height": 2048},
        {"sampler": "euler_a"},
    ],
)
def test_values_at_the_limits_are_taken(values):
    assert parsed(**values).prompt


def test_lone_surrogate_is_refused_before_a_tokenizer_sees_it():
    with pytest.raises(ValidationError):
        TextToImage.model_validate_json('{"prompt": "a\\ud800"}', strict=True)
    with pytest.raises(ValidationError):
        ImageToImage.model_validate_strings({"prompt": "a\ud800"})


@pytest.mark.parametrize("strength", ["0", "-0.1", "1.01", "nan", "inf", "", "half"])
def test_strength_of_a_form_is_above_zero_and_at_most_one(strength):
    with pytest.raises(ValidationError):
        ImageToImage.model_validate_strings({"prompt": "a", "strength": strength})


def test_numbers_of_a_form_are_read_from_their_texts():
    form = ImageToImage.model_validate_strings({"prompt": "a", "strength": "0.4", "seed": "7", "width": "64"})
    assert (form.strength, form.seed, form.width) == (0.4, 7, 64)


@pytest.mark.parametrize("rev", ["main", "sport-gentra-lora@v1.0.0", "sport-gentra-lora#prod", "feature/x", "a1b2c3d"])
def test_every_kind_of_revision_can_be_named(rev):
    assert Reload(rev=rev).rev == rev


@pytest.mark.parametrize("rev", ["", "a b", "$(x)", "a;b", "a\nb"])
def test_what_is_no_revision_is_refused(rev):
    with pytest.raises(ValidationError):
        Reload(rev=rev)
