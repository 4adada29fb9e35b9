import json

import pytest
import torch
from diffusers import DDPMScheduler
from safetensors.torch import save_file

from gentra_lora.base.files.configs import config_if_any, config_of, load_noise_scheduler, sd1_config
from gentra_lora.base.source import BaseModelError, BaseSource
from tests.base.damage import configured, damaged, removed

SCHEDULER = "scheduler/scheduler_config.json"


def file_that_says(path, **metadata):
    save_file({"a": torch.ones(1)}, path, metadata=metadata)
    return str(path)


def test_configuration_is_the_folders(tiny_base):
    source = BaseSource(str(tiny_base))
    for part in ("unet", "vae", "text_encoder"):
        assert config_of(source, part) == json.loads((tiny_base / part / "config.json").read_text())


def test_configuration_of_a_file_is_that_of_sd1(tmp_path):
    source = BaseSource(file_that_says(tmp_path / "base.safetensors"))
    assert config_of(source, "unet") == sd1_config("unet")
    assert config_of(source, "unet")["cross_attention_dim"] == config_of(source, "text_encoder")["hidden_size"] == 768
    assert config_of(source, "vae")["scaling_factor"] == 0.18215


def test_configuration_that_a_base_must_have_is_missed(tiny_base, tmp_path):
    source = damaged(tiny_base, tmp_path, removed("unet/config.json", "vae"))
    with pytest.raises(BaseModelError, match=r"^base\.model: .*base has no unet/config\.json; take a whole diffusers"):
        config_of(source, "unet")
    assert config_if_any(source, "vae") is None


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


@pytest.mark.parametrize("predicted", ["sample", "flow"])
def test_base_that_predicts_neither_noise_nor_velocity_is_refused(tiny_base, tmp_path, predicted):
    source = damaged(tiny_base, tmp_path, configured(SCHEDULER, prediction_type=predicted))
    with pytest.raises(BaseModelError, match=rf"base\.model: .*prediction_type '{predicted}', and only epsilon or v_p"):
        load_noise_scheduler(source)


def test_schedule_that_cannot_be_made_is_one_sentence(tiny_base, tmp_path):
    source = damaged(tiny_base, tmp_path, configured(SCHEDULER, beta_schedule="steps"))
    with pytest.raises(BaseModelError, match=r"^base\.model: .*base cannot be loaded: steps is not implemented"):
        load_noise_scheduler(source)
