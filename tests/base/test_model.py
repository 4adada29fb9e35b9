import json
import os
import shutil
import subprocess
import sys

import pytest
import torch

from gentra_lora.base.model import (
    BaseModelError,
    BaseSource,
    base_identity,
    check_base,
    choose_precision,
    load_noise_scheduler,
    load_pipeline,
    load_unet,
    load_vae,
)

HUB_ID, REVISION = "owner/photoreal", "1e9f017a7b1eaefb63a1900ea6c5953d2739fd21"
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def source(tiny_base, **changed):
    return BaseSource(**({"model": str(tiny_base)} | changed))


@pytest.mark.parametrize("revision", [None, "main", "1e9f017"])
def test_hub_id_without_a_full_revision_is_refused(revision):
    with pytest.raises(BaseModelError, match=r"base\.model: owner/photoreal .* needs its revision"):
        check_base(BaseSource(HUB_ID, revision))


def test_pinned_hub_id_is_accepted_without_a_network():
    check_base(BaseSource(HUB_ID, REVISION, vae="owner/vae", vae_revision=REVISION))


def test_separate_vae_must_be_pinned_too():
    with pytest.raises(BaseModelError, match=r"base\.vae: owner/vae"):
        check_base(BaseSource(HUB_ID, REVISION, vae="owner/vae"))


def test_revision_of_a_vae_that_is_not_there_is_refused():
    with pytest.raises(BaseModelError, match=r"base\.vae_revision"):
        check_base(BaseSource(HUB_ID, REVISION, vae_revision=REVISION))


def test_unknown_base_is_refused():
    with pytest.raises(BaseModelError, match=r"base\.model: models/nothing/here is neither a path"):
        check_base(BaseSource("models/nothing/here"))


def test_local_folder_has_no_revision(tiny_base):
    with pytest.raises(BaseModelError, match="set its revision to null"):
        check_base(source(tiny_base, revision=REVISION))


def test_folder_that_is_no_pipeline_is_refused(tmp_path):
    with pytest.raises(BaseModelError, match=r"holds no model_index\.json"):
        check_base(BaseSource(str(tmp_path)))


def test_pipeline_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionXLPipeline"}))
    with pytest.raises(BaseModelError, match="is a StableDiffusionXLPipeline"):
        check_base(BaseSource(str(tmp_path)))


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


def test_identity_is_the_same_for_a_copy_and_another_when_a_byte_differs(tiny_base, tmp_path):
    copied = tmp_path / tiny_base.name
    shutil.copytree(tiny_base, copied)
    assert base_identity(source(copied)) == base_identity(source(tiny_base))
    with (copied / "unet/config.json").open("a") as file:
        file.write(" ")
    assert base_identity(source(copied)) != base_identity(source(tiny_base))


def test_identity_of_a_hub_model_names_both_revisions():
    identity = base_identity(BaseSource(HUB_ID, REVISION, "owner/vae", "f" * 40))
    assert identity == f"{HUB_ID}@{REVISION} + owner/vae@{'f' * 40}"


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
        "from gentra_lora.base.model import *; import torch\n"
        f"source = BaseSource({HUB_ID!r}, {REVISION!r}); check_base(source)\n"
        "pipeline = load_pipeline(source, torch.float32, torch.device('cpu'))\n"
        "print(pipeline.unet.config.in_channels, pipeline.tokenizer.model_max_length)"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["4", "40"], done.stderr


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_precision_follows_the_compute_capability(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    precision, reason = choose_precision("auto", CUDA)
    assert precision == chosen
    assert f"{capability[0]}.{capability[1]}" in reason


def test_emulated_bf16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "T4")
    with pytest.raises(BaseModelError, match="bf16 is only emulated on T4"):
        choose_precision("bf16", CUDA)


def test_cpu_trains_in_float32_and_refuses_half_precision():
    assert choose_precision("auto", CPU)[0] == "no"
    with pytest.raises(BaseModelError, match="fp16 needs a GPU"):
        choose_precision("fp16", CPU)
