import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from gentra_lora.base.model import BaseSource
from gentra_lora.pictures.sampling_pipeline import Settings, generate, load_sampler
from tests.reference import load_generator, set_adapter_scale
from tests.service.http.test_answers import pixels

CPU = torch.device("cpu")
SETTINGS = Settings(64, 3, 3.0)


def photo(size=(96, 64), colour=(200, 30, 30)):
    with io.BytesIO() as buffer:
        Image.new("RGB", size, colour).save(buffer, "PNG")
        return buffer.getvalue()


@pytest.fixture(scope="module")
def pipeline(served, tiny_base):
    """diffusers' own pipeline with the served adapter."""
    path = served.service.settings.weights_dir / "first/sport_gentra_lora.safetensors"
    return load_generator(BaseSource(str(tiny_base)), path, torch.float32, CPU)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_picture_is_that_of_diffusers_own_pipeline_at_the_scale_that_was_asked(served, pipeline, scale):
    set_adapter_scale(pipeline, scale)
    wanted = generate(pipeline, ["a gentra"], [3], SETTINGS)[0]
    found = pixels(served.draw(seed=3, lora_scale=scale).content)
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_scale_zero_is_the_base_itself(served, tiny_base):
    base = load_sampler(BaseSource(str(tiny_base)), torch.float32, CPU)
    wanted = generate(base, ["a gentra"], [3], SETTINGS)[0]
    assert np.abs(pixels(served.draw(seed=3, lora_scale=0).content).astype(int) - wanted).max() <= 1


def test_scale_counts_in_each_request_and_the_first_comes_back(served):
    first, other, again = (pixels(served.draw(seed=3, lora_scale=scale).content) for scale in (1.0, 0.3, 1.0))
    assert not np.array_equal(first, other)
    assert np.array_equal(first, again)


def test_photo_keeps_its_shape_at_the_trained_area_and_the_real_size_is_told(served):
    answer = served.redraw(photo((640, 427)), strength=0.7)
    assert answer.headers["x-size"] == "80x64"
    assert pixels(answer.content).shape == (64, 80, 3)


def test_photo_decides_at_low_strength_and_the_seed_at_full(served):
    def apart(strength):
        one, other = (
            pixels(served.redraw(photo(), strength=strength, seed=seed, num_inference_steps=10).content).astype(int)
            for seed in (1, 2)
        )
        return np.abs(one - other).mean()

    assert apart(0.1) < apart(1.0)


def test_sizes_and_number_of_pictures_are_as_asked(served):
    answer = served.draw(width=96, height=64, num_images=2).json()
    assert [(picture["width"], picture["height"]) for picture in answer["images"]] == [(96, 64)] * 2
    assert pixels(base64.b64decode(answer["images"][0]["b64_json"])).shape == (64, 96, 3)
