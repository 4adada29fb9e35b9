"""What `doctor` sees, by headers alone: files that people name as a base, and parts that are not all there."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gentra_lora.base.first_look import check_denoiser, check_vae, look_into
from gentra_lora.base.source import BaseModelError, BaseSource
from tests.base.damage import (
    LFS,
    TEXT,
    UNET,
    VAE,
    as_fp16,
    as_pickles,
    configured,
    cut,
    damaged,
    refusal,
    removed,
    renamed,
    rewritten,
    text,
)
from tests.conftest import ROOT


def test_neither_torch_nor_the_models_libraries_are_waited_for():
    look = "from gentra_lora.base.first_look import *; look_into(BaseSource('models/nano-sd'))"
    code = f"import sys; {look}; print(*{{'torch', 'diffusers', 'transformers'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "\n"


@pytest.mark.parametrize("form", [lambda folder: None, as_fp16, as_pickles])
def test_whole_folder_is_accepted_in_every_form_of_its_weights(tiny_base, tmp_path, form):
    look_into(damaged(tiny_base, tmp_path, form))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (removed("tokenizer"), "tokenizer is missing"),
        (removed("tokenizer/tokenizer.json"), "tokenizer lacks vocab.json and merges.txt"),
        (cut(UNET, 4), "unet/diffusion_pytorch_model.safetensors is cut"),
        (text(TEXT, ""), "text_encoder/model.safetensors is empty"),
        (text(VAE, LFS), "vae/diffusion_pytorch_model.safetensors is a pointer of Git LFS"),
        (configured("unet/config.json", in_channels=9), "is an inpainting model"),
        (configured("model_index.json", _class_name="FluxPipeline"), "is a FluxPipeline"),
        (configured("unet/config.json", _class_name="SD3Transformer2DModel"), "is a SD3Transformer2DModel, not a UNet"),
        (configured("scheduler/scheduler_config.json", prediction_type="sample"), "the prediction_type 'sample'"),
        (configured("vae/config.json", latent_channels=16), "makes latents of 16 channels"),
    ],
)
def test_folder_that_cannot_be_a_base_is_one_sentence(tiny_base, tmp_path, damage, says):
    words = refusal(look_into, damaged(tiny_base, tmp_path, damage))
    assert words.startswith("base.model: ") and says in words


@pytest.mark.parametrize(
    ("channels", "kind"),
    [(9, "an inpainting model"), (8, "an instruct-pix2pix model"), (6, "a model of 6 input channels")],
)
def test_weights_of_another_denoiser_beside_a_usual_configuration_are_refused(tiny_base, tmp_path, channels, kind):
    wide = rewritten(UNET, lambda weights: weights | {"conv_in.weight": torch.ones(16, channels, 3, 3)})
    assert f"base is {kind}; take one of Stable Diffusion 1.x" in refusal(look_into, damaged(tiny_base, tmp_path, wide))


DENOISER = "model.diffusion_model.input_blocks.0.0.weight"
FILES = {
    "an inpainting model": {DENOISER: (320, 9, 3, 3)},
    "an instruct-pix2pix model": {DENOISER: (320, 8, 3, 3)},
    "an SDXL model": {DENOISER: (320, 4, 3, 3), "conditioner.embedders.0.transformer.text_model.x": (2,)},
    "an SDXL denoiser": {DENOISER: (320, 4, 3, 3), "model.diffusion_model.label_emb.0.0.weight": (2,)},
    "an SD 2.x model in one file": {DENOISER: (320, 4, 3, 3), "cond_stage_model.model.ln_final.weight": (2,)},
    "a Flux model": {"transformer_blocks.0.attn.norm_added_q.weight": (2,), "single_transformer_blocks.0.x": (2,)},
    "an SD 3 model": {"transformer_blocks.0.attn.add_k_proj.weight": (2,), "pos_embed.proj.weight": (2,)},
    "an autoencoder (VAE)": {"decoder.conv_in.weight": (2,)},
    "one part of a diffusers folder": {"text_model.final_layer_norm.weight": (2,)},
    "a CLIP vision model": {"vision_model.post_layernorm.weight": (2,)},
    "no Stable Diffusion model": {"body.0.rdb1.conv1.weight": (2,), "conv_first.weight": (2,)},
}


@pytest.mark.parametrize("kind", FILES)
def test_file_of_another_kind_is_one_sentence_that_says_which(tmp_path, kind):
    path = tmp_path / "mine.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in FILES[kind].items()}, path)
    assert refusal(look_into, BaseSource(str(path))).startswith(
        f"base.model: {path} is {kind}, and no base that can learn here; "
    )


def test_separate_vae_is_looked_into(tiny_base, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("take the mse one")
    assert refusal(look_into, BaseSource(str(tiny_base), vae=str(notes))).startswith(
        f"base.vae: {notes} is no .safetensors file"
    )
    damaged(tiny_base, tmp_path, renamed(VAE, "x."))
    look_into(BaseSource(str(tiny_base), vae=str(Path(tmp_path / "base/vae"))))


def test_vae_of_other_channels_is_refused():
    with pytest.raises(BaseModelError, match=r"^base\.vae: the vae of flux makes latents of 16 channels"):
        check_vae("base.vae", "flux", {"latent_channels": 16}, None)


def test_scale_that_is_not_said_is_sd1s():
    check_vae("base.vae", "mse", {}, {"scaling_factor": 0.18215})
    check_vae("base.vae", "mse", {"scaling_factor": 0.18215}, {})


@pytest.mark.parametrize(
    ("unet", "says"),
    [
        ({"in_channels": 8}, "is an instruct-pix2pix model"),
        ({"in_channels": 5}, "is a depth model"),
        ({"out_channels": 8}, "is a model of 4 input and 8 output channels"),
        ({"addition_embed_type": "text_time"}, "is an SDXL model"),
    ],
)
def test_other_denoisers_are_known_by_their_configuration(unet, says):
    with pytest.raises(BaseModelError, match=f"^base.model: mine {says}; take one of Stable Diffusion 1.x$"):
        check_denoiser("mine", {"cross_attention_dim": 768} | unet, {"hidden_size": 768})


def test_sd2_as_a_folder_is_accepted():
    check_denoiser("mine", {"cross_attention_dim": 1024}, {"hidden_size": 1024})
