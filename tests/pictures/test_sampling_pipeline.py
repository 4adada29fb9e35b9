import json
import shutil

import numpy as np
import pytest
import torch

from gentra_lora.base.model import BaseSource
from gentra_lora.pictures.sampling_pipeline import GenerationError, Settings, generate, generate_latents, load_sampler
from tests.conftest import make_unet

SETTINGS = Settings(64, 2, 3.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pipeline(tiny_base):
    return load_sampler(BaseSource(str(tiny_base)), torch.float32, CPU)


def test_picture_of_a_batch_is_the_one_that_its_seed_alone_gives(pipeline):
    both = generate(pipeline, ["a car", "a van"], [1, 2], SETTINGS)
    alone = generate(pipeline, ["a van"], [2], SETTINGS)
    assert both.shape == (2, 64, 64, 3)
    assert both.dtype == np.uint8
    assert np.abs(both[1].astype(int) - alone[0]).max() <= 1


def test_picture_that_is_not_finite_is_an_error_not_a_black_picture(tiny_base):
    broken = load_sampler(BaseSource(str(tiny_base)), torch.float32, CPU)
    torch.nn.init.constant_(broken.vae.decoder.conv_out.bias, float("nan"))
    with pytest.raises(GenerationError, match="prompt 'a car', seed 1: the picture is not finite"):
        generate(broken, ["a car"], [1], SETTINGS)


def test_prompt_that_would_be_cut_is_refused_with_the_lost_words(pipeline):
    with pytest.raises(GenerationError, match="the text encoder would not see 'xyz'"):
        generate(pipeline, ["a" * 38 + "xyz"], [1], SETTINGS)


def test_sampling_starts_at_pure_noise(pipeline):
    pipeline.scheduler.set_timesteps(20)
    assert pipeline.scheduler.timesteps[0] == 999


def test_sampler_that_a_base_was_saved_with_changes_nothing(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base")
    path = tmp_path / "base/scheduler/scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_karras_sigmas": True, "solver_order": 3}))
    other = load_sampler(BaseSource(str(tmp_path / "base")), torch.float32, CPU)
    plain = load_sampler(BaseSource(str(tiny_base)), torch.float32, CPU)
    pictures = [generate(each, ["a car"], [1], Settings(64, 5, 3.0)) for each in (other, plain)]
    assert np.array_equal(*pictures)


def test_denoiser_that_is_given_takes_the_place_of_the_bases_own(tiny_base):
    unet = make_unet()
    assert load_sampler(BaseSource(str(tiny_base)), torch.float32, CPU, unet).unet is unet


def test_latents_are_those_that_the_pictures_are_decoded_from(pipeline):
    ((chunk, latents),) = generate_latents(pipeline, ["a car", "a van"], [1, 2], SETTINGS)
    assert chunk == slice(0, 16)
    assert latents.shape == (2, 4, 16, 16)


def test_global_random_state_is_neither_read_nor_changed(pipeline):
    torch.manual_seed(1)
    first, state = generate(pipeline, ["a car"], [1], SETTINGS), torch.get_rng_state()
    torch.manual_seed(2)
    assert np.array_equal(generate(pipeline, ["a car"], [1], SETTINGS), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
