import os
import shutil
import subprocess
import sys

import pytest
import torch

from gentra_lora.base.model import load_noise_scheduler, load_pipeline, load_unet, load_vae
from gentra_lora.base.source import BaseModelError, BaseSource, check_base

HUB_ID, REVISION = "owner/photoreal", "1e9f017a7b1eaefb63a1900ea6c5953d2739fd21"
CPU = torch.device("cpu")


def source(tiny_base, **changed):
    return BaseSource(**({"model": str(tiny_base)} | changed))


def test_folder_without_weights_is_an_error_that_names_the_base(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(BaseModelError, match=r"base\.model: .*base cannot be loaded"):
        load_unet(BaseSource(str(tmp_path / "base")), torch.float32)


def test_inpainting_denoiser_is_refused(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "base")
    unet = load_unet(source(tiny_base), torch.float32)
    type(unet).from_config(unet.config, in_channels=9).save_pretrained(tmp_path / "base/unet")
    with pytest.raises(BaseModelError, match="inpainting"):
        load_unet(BaseSource(str(tmp_path / "base")), torch.float32)


def test_separate_vae_replaces_the_bases_own(tiny_base, tmp_path):
    other = load_vae(source(tiny_base))
    torch.nn.init.constant_(other.decoder.conv_out.bias, 5.0)
    other.save_pretrained(tmp_path / "vae")
    separate = source(tiny_base, vae=str(tmp_path / "vae"))
    check_base(separate)
    assert load_vae(separate).decoder.conv_out.bias[0] == 5
    assert load_pipeline(separate, torch.float32, CPU).vae.decoder.conv_out.bias[0] == 5


def test_frozen_denoiser_comes_in_the_asked_dtype_and_the_vae_always_in_float32(tiny_base):
    assert load_unet(source(tiny_base), torch.float16).dtype == torch.float16
    assert not any(p.requires_grad for p in load_unet(source(tiny_base), torch.float32).parameters())
    pipeline = load_pipeline(source(tiny_base), torch.float16, CPU)
    assert (pipeline.unet.dtype, pipeline.vae.dtype) == (torch.float16, torch.float32)


def test_noise_schedule_is_the_bases_own(tiny_base):
    config = load_noise_scheduler(source(tiny_base)).config
    assert (config.beta_schedule, config.beta_start, config.prediction_type) == ("scaled_linear", 0.00085, "epsilon")


def test_model_in_the_hub_cache_loads_without_a_network(tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / f"models--owner--photoreal/snapshots/{REVISION}")
    code = (
        "from gentra_lora.base.model import load_pipeline; from gentra_lora.base.source import *; import torch\n"
        f"source = BaseSource({HUB_ID!r}, {REVISION!r}); check_base(source)\n"
        "pipeline = load_pipeline(source, torch.float32, torch.device('cpu'))\n"
        "print(pipeline.unet.config.in_channels, pipeline.tokenizer.model_max_length)"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["4", "40"], done.stderr
