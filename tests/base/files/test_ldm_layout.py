"""Our names of the original layout against diffusers' own conversion, at the real size; no weight is made."""

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)

from gentra_lora.base.files.configs import sd1_config
from gentra_lora.base.files.ldm_layout import original_name, with_text_model
from gentra_lora.base.files.single_file import empty_model

CONVERT = {
    "unet": convert_ldm_unet_checkpoint,
    "vae": convert_ldm_vae_checkpoint,
    "text_encoder": lambda weights, config: {
        name.removeprefix("text_model."): weight for name, weight in convert_ldm_clip_checkpoint(weights).items()
    },
}


@pytest.mark.parametrize("part", CONVERT)
def test_diffusers_finds_every_weight_under_our_name_of_it(part):
    config = sd1_config(part)
    # One number each, which says whose it is; diffusers makes matrices of an autoencoder's attention.
    names = dict(enumerate(empty_model(part, config).state_dict(), start=1))
    weights = {original_name(part, name, config): torch.full((1, 1, 1, 1), n) for n, name in names.items()}
    assert len(weights) == len(names)
    converted = CONVERT[part](weights, config)
    assert {name: names[int(weight)] for name, weight in converted.items()} == {name: name for name in names.values()}


def test_text_encoder_without_text_model_in_its_names_is_the_same():
    usual = "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight"
    assert with_text_model(usual.replace("text_model.", "")) == usual
    assert with_text_model(usual) == usual
    assert with_text_model("first_stage_model.encoder.conv_in.weight") == "first_stage_model.encoder.conv_in.weight"
