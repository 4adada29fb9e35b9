import pytest
import torch
from diffusers import DDPMScheduler

from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.source import BaseModelError, BaseSource
from tests.base.damage import configured, damaged
from tests.base.files.test_configs import SCHEDULER, file_that_says


def test_noise_schedule_is_the_bases_own(tiny_base):
    config = load_noise_scheduler(BaseSource(str(tiny_base))).config
    assert (config.beta_schedule, config.beta_start, config.prediction_type) == ("scaled_linear", 0.00085, "epsilon")


def test_noise_schedule_of_a_file_is_that_of_sd1(tmp_path):
    schedule = load_noise_scheduler(BaseSource(file_that_says(tmp_path / "base.safetensors")))
    known = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    assert torch.equal(schedule.alphas_cumprod, known.alphas_cumprod)
    assert schedule.config.prediction_type == "epsilon"


@pytest.mark.parametrize(("said", "meant"), [("v", "v_prediction"), ("epsilon", "epsilon")])
def test_file_may_say_what_it_predicts(tmp_path, said, meant):
    path = file_that_says(tmp_path / "base.safetensors", **{"modelspec.prediction_type": said})
    assert load_noise_scheduler(BaseSource(path)).config.prediction_type == meant


def test_params_say_what_a_file_predicts_that_says_nothing(tmp_path):
    path = file_that_says(tmp_path / "base.safetensors")
    schedule = load_noise_scheduler(BaseSource(path, prediction_type="v_prediction"))
    assert schedule.config.prediction_type == "v_prediction"


def test_params_say_it_of_a_folder_too(tiny_base, tmp_path):
    source = damaged(tiny_base, tmp_path, configured(SCHEDULER, prediction_type="sample"))
    replaced = BaseSource(source.model, prediction_type="epsilon")
    assert load_noise_scheduler(replaced).config.prediction_type == "epsilon"


def test_schedule_that_cannot_be_made_is_one_sentence(tiny_base, tmp_path):
    source = damaged(tiny_base, tmp_path, configured(SCHEDULER, beta_schedule="steps"))
    with pytest.raises(BaseModelError, match=r"^base\.model: .*base cannot be loaded: steps is not implemented"):
        load_noise_scheduler(source)
