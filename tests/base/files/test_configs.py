import json

import pytest
import torch
from safetensors.torch import save_file

from gentra_lora.base.files.configs import config_if_any, config_of, prediction_type_of, sd1_config
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


@pytest.mark.parametrize("predicted", ["sample", "flow"])
def test_base_that_predicts_neither_noise_nor_velocity_is_refused(tiny_base, tmp_path, predicted):
    source = damaged(tiny_base, tmp_path, configured(SCHEDULER, prediction_type=predicted))
    with pytest.raises(BaseModelError, match=rf"base\.model: .*prediction_type '{predicted}', and only epsilon or v_p"):
        prediction_type_of(source)
