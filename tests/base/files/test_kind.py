import pytest

from gentra_lora.base.files.headers import Header
from gentra_lora.base.files.kind import kind_of

UNET_IN = "model.diffusion_model.input_blocks.0.0.weight"
TEXT = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"], "an adapter (LoRA)"),
        (["unet.down_blocks.0.attentions.0.to_q.lora_A.weight"], "an adapter (LoRA)"),
        (["lora_te_text_model_encoder_layers_0_mlp_fc1.hada_w1_a"], "an adapter (LoRA)"),
        ([UNET_IN, "conditioner.embedders.0.transformer.text_model.x"], "an SDXL model"),
        (["add_embedding.linear_1.weight", "conv_in.weight"], "an SDXL denoiser"),
        ([UNET_IN, "cond_stage_model.model.token_embedding.weight"], "an SD 2.x model in one file"),
        (["control_model.input_blocks.0.0.weight"], "a ControlNet"),
        (["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.x"], "a ControlNet"),
        (["down_blocks.0.motion_modules.0.temporal_transformer.norm.bias"], "an AnimateDiff motion module"),
        (["double_blocks.0.img_attn.norm.key_norm.scale"], "a Flux model"),
        (["model.diffusion_model.joint_blocks.0.context_block.x"], "an SD 3 model"),
        (["emb_params"], "a textual inversion"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "an autoencoder (VAE)"),
        (["down_blocks.0.resnets.0.conv1.weight", "conv_in.weight"], "one part of a diffusers folder"),
        (["text_model.encoder.layers.0.x"], "one part of a diffusers folder"),
        (["blocks.0.weight"], "no Stable Diffusion model"),
    ],
)
def test_files_that_people_have_are_known_by_their_names(names, kind):
    assert kind_of(Header(dict.fromkeys(names, (320, 4, 3, 3)))) == kind


def test_checkpoint_with_the_rest_of_a_whole_clip_is_one():
    rest = "cond_stage_model.transformer.vision_model.post_layernorm.weight"
    assert kind_of(Header({UNET_IN: (320, 4, 3, 3), TEXT: (49408, 768), rest: (1024,)})) is None


@pytest.mark.parametrize(
    ("channels", "kind"),
    [(4, None), (8, "an instruct-pix2pix model"), (9, "an inpainting model"), (6, "a model of 6 input channels")],
)
def test_denoiser_is_known_by_its_input_channels(channels, kind):
    assert kind_of(Header({UNET_IN: (320, channels, 3, 3), TEXT: (49408, 768)})) == kind
