"""What `base`, `doctor` and every stage look at before anything runs."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from gentra_lora.base.checks import check_base
from gentra_lora.base.source import BaseModelError, BaseSource
from tests.base.damage import TEXT, UNET, VAE, as_fp16, as_pickles, configured, damaged, removed, text, without
from tests.conftest import ROOT

HUB_ID, REVISION = "owner/photoreal", "1e9f017a7b1eaefb63a1900ea6c5953d2739fd21"


def test_whole_folder_is_accepted(tiny_base):
    check_base(BaseSource(str(tiny_base)))


def test_embedded_base_is_accepted():
    check_base(BaseSource(str(ROOT / "models/nano-sd")))


@pytest.mark.parametrize("form", [as_fp16, as_pickles])
def test_folder_is_accepted_in_every_form_of_its_weights(tiny_base, tmp_path, form):
    check_base(damaged(tiny_base, tmp_path, form))


def test_pinned_hub_id_is_accepted_without_a_network():
    check_base(BaseSource(HUB_ID, REVISION, vae="owner/vae", vae_revision=REVISION))


def test_separate_vae_must_be_pinned_too():
    with pytest.raises(BaseModelError, match=r"base\.vae: owner/vae"):
        check_base(BaseSource(HUB_ID, REVISION, vae="owner/vae"))


def test_revision_of_a_vae_that_is_not_there_is_refused():
    with pytest.raises(BaseModelError, match=r"base\.vae_revision"):
        check_base(BaseSource(HUB_ID, REVISION, vae_revision=REVISION))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (text("model_index.json", "{"), "model_index.json is no valid JSON"),
        (text("scheduler/scheduler_config.json", "{"), "scheduler_config.json is no valid JSON"),
        (removed("scheduler"), "has no scheduler/scheduler_config.json; take a whole diffusers pipeline"),
        (configured("scheduler/scheduler_config.json", prediction_type="sample"), "has the prediction_type 'sample'"),
        (configured("scheduler/scheduler_config.json", beta_schedule="steps"), "steps is not implemented"),
        (removed("tokenizer/tokenizer.json"), "tokenizer lacks vocab.json and merges.txt"),
        (text("tokenizer/tokenizer.json", "{}"), "tokenizer cannot be loaded"),
        (without(TEXT, "final_layer_norm.bias"), "text_encoder lacks 1 of its weights"),
        (without(UNET, "conv_in.weight"), "unet lacks 1 of its weights"),
        (without(VAE, "encoder.conv_in.bias"), "vae lacks 1 of its weights"),
        (configured("unet/config.json", in_channels=9), "is an inpainting model; take one of Stable Diffusion 1.x"),
        (configured("unet/config.json", cross_attention_dim=64), "embeddings of 32 numbers, and its unet reads 64"),
        (removed("vae"), "vae/config.json is missing"),
    ],
)
def test_folder_that_is_not_whole_is_one_sentence(tiny_base, tmp_path, damage, says):
    source = damaged(tiny_base, tmp_path, damage)
    with pytest.raises(BaseModelError) as caught:
        check_base(source)
    words = str(caught.value)
    assert words.startswith("base.model: ") and source.model in words and says in words and "\n" not in words


def test_prediction_type_of_params_stands_in_for_a_wrong_one(tiny_base, tmp_path):
    source = damaged(tiny_base, tmp_path, configured("scheduler/scheduler_config.json", prediction_type="sample"))
    check_base(BaseSource(source.model, prediction_type="epsilon"))


def test_base_without_its_own_vae_may_have_a_separate_one(tiny_base, tmp_path):
    source = damaged(tiny_base, tmp_path, removed("vae"))
    check_base(BaseSource(source.model, vae=str(tiny_base / "vae")))


def test_separate_vae_that_is_not_whole_is_named_by_its_own_key(tiny_base, tmp_path):
    broken = damaged(tiny_base, tmp_path, without(VAE, "encoder.conv_in.bias"))
    with pytest.raises(
        BaseModelError, match=r"^base\.vae: .*base/vae lacks 1 of its weights \(encoder\.conv_in\.bias\)"
    ):
        check_base(BaseSource(str(tiny_base), vae=f"{broken.model}/vae"))


def test_pipeline_as_a_separate_vae_is_told_where_its_vae_is(tiny_base):
    with pytest.raises(BaseModelError, match=rf"^base\.vae: .* is a whole pipeline; name its {tiny_base}/vae$"):
        check_base(BaseSource(str(tiny_base), vae=str(tiny_base)))


def test_vae_of_another_scale_is_refused(tiny_base, tmp_path):
    """SDXL's has the very shapes of SD 1.x's, and other latents."""
    shutil.copytree(tiny_base / "vae", tmp_path / "sdxl-vae")
    config = json.loads((tmp_path / "sdxl-vae/config.json").read_text())
    (tmp_path / "sdxl-vae/config.json").write_text(json.dumps(config | {"scaling_factor": 0.13025}))
    with pytest.raises(
        BaseModelError, match=r"^base\.vae: .*sdxl-vae has the scaling_factor 0\.13025, .* own 0\.18215"
    ):
        check_base(BaseSource(str(tiny_base), vae=str(tmp_path / "sdxl-vae")))


def test_a_single_file_is_looked_into(tmp_path):
    save_file(
        {"lora_unet_x.lora_down.weight": load_file(ROOT / "models/nano-sd" / UNET)["conv_in.weight"]}, tmp_path / "a"
    )
    with pytest.raises(BaseModelError, match=r"is an adapter \(LoRA\)"):
        check_base(BaseSource(str(tmp_path / "a")))
