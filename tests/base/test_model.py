"""Every part of a base as it comes out of a load; what is not whole is refused, whatever looked at it before."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from gentra_lora.base.checks import check_base
from gentra_lora.base.model import (
    load_noise_scheduler,
    load_pipeline,
    load_text_encoder,
    load_tokenizer,
    load_unet,
    load_unet_shapes,
    load_vae,
)
from gentra_lora.base.source import BaseModelError, BaseSource
from tests.base.damage import (
    TEXT,
    UNET,
    VAE,
    as_fp16,
    as_pickles,
    configured,
    damaged,
    filled,
    removed,
    renamed,
    without,
)
from tests.base.damage import (
    refusal as sentence_of,
)
from tests.base.loads import LOAD

HUB_ID, REVISION = "owner/photoreal", "1e9f017a7b1eaefb63a1900ea6c5953d2739fd21"
CPU = torch.device("cpu")


def source(tiny_base, **changed):
    return BaseSource(**({"model": str(tiny_base)} | changed))


def refusal(load, source):
    words = sentence_of(load, source)
    assert words.startswith("base.model: ") and source.model in words
    return words


NOT_WHOLE = [
    (without(UNET, "conv_in.weight"), "unet", "lacks 1 of its weights (conv_in.weight)"),
    (without(VAE, "decoder.conv_in.weight"), "vae", "lacks 1 of its weights (decoder.conv_in.weight)"),
    (without(TEXT, "final_layer_norm.bias"), "text_encoder", "lacks 1 of its weights (final_layer_norm.bias)"),
    (renamed(TEXT, "transformer."), "text_encoder", "lacks 20 of its weights"),
    (filled(UNET, "conv_in.weight", float("nan")), "unet", "conv_in.weight of the unet is not finite"),
    (filled(VAE, "encoder.conv_in.weight", 0.0), "vae", "encoder.conv_in.weight of the vae is all zeros"),
    (
        filled(TEXT, "embeddings.token_embedding.weight", 0.0),
        "text_encoder",
        "token_embedding.weight of the text_encoder",
    ),
]


@pytest.mark.parametrize(("damage", "part", "says"), NOT_WHOLE)
def test_part_that_is_not_whole_is_refused_by_its_load(tiny_base, tmp_path, damage, part, says):
    assert says in refusal(LOAD[part], damaged(tiny_base, tmp_path, damage))


@pytest.mark.parametrize(("damage", "part", "says"), NOT_WHOLE)
def test_pickled_part_that_is_not_whole_is_refused_by_its_load(tiny_base, tmp_path, damage, part, says):
    def pickled(folder):
        damage(folder)
        as_pickles(folder)

    assert says in refusal(LOAD[part], damaged(tiny_base, tmp_path, pickled))


def test_pickle_that_is_cut_is_one_sentence(tiny_base, tmp_path):
    def cut_pickle(folder):
        as_pickles(folder)
        path = folder / "unet/diffusion_pytorch_model.bin"
        path.write_bytes(path.read_bytes()[:-100])

    assert "cannot be loaded: " in refusal(LOAD["unet"], damaged(tiny_base, tmp_path, cut_pickle))


@pytest.mark.parametrize("places", [["tokenizer"], ["tokenizer/tokenizer.json"]])
def test_tokenizer_without_its_vocabulary_is_refused(tiny_base, tmp_path, places):
    broken = damaged(tiny_base, tmp_path, removed(*places))
    for load in (load_tokenizer, load_text_encoder):
        assert "has 2 tokens, and its text encoder knows 514" in refusal(load, broken)


def test_folder_without_weights_is_an_error_that_names_the_base(tiny_base, tmp_path):
    broken = damaged(tiny_base, tmp_path, removed("*/*.safetensors"))
    assert "holds no weights (diffusion_pytorch_model.safetensors)" in refusal(LOAD["unet"], broken)


def test_inpainting_denoiser_is_refused(tiny_base, tmp_path):
    broken = damaged(tiny_base, tmp_path, configured("unet/config.json", in_channels=9))
    assert "is an inpainting model" in refusal(LOAD["unet"], broken)


@pytest.mark.parametrize("part", LOAD)
def test_half_precision_alone_is_loaded(tiny_base, tmp_path, part):
    half = damaged(tiny_base, tmp_path, as_fp16)
    loaded, plain = LOAD[part](half), LOAD[part](source(tiny_base))
    assert loaded.dtype == torch.float32
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], weight.half().float(), rtol=0, atol=0)


def test_separate_vae_replaces_the_bases_own(tiny_base, tmp_path):
    other = load_vae(source(tiny_base))
    torch.nn.init.constant_(other.decoder.conv_out.bias, 5.0)
    other.save_pretrained(tmp_path / "vae")
    separate = source(tiny_base, vae=str(tmp_path / "vae"))
    check_base(separate)
    assert load_vae(separate).decoder.conv_out.bias[0] == 5
    assert load_pipeline(separate, torch.float32, CPU).vae.decoder.conv_out.bias[0] == 5


def test_separate_vae_of_another_scale_is_refused(tiny_base, tmp_path):
    type(vae := load_vae(source(tiny_base))).from_config(vae.config, scaling_factor=0.13025).save_pretrained(tmp_path)
    with pytest.raises(BaseModelError, match=r"^base\.vae: .* has the scaling_factor 0\.13025"):
        load_vae(source(tiny_base, vae=str(tmp_path)))


def test_frozen_denoiser_comes_in_the_asked_dtype_and_the_vae_always_in_float32(tiny_base):
    assert load_unet(source(tiny_base), torch.float16).dtype == torch.float16
    assert not any(p.requires_grad for p in load_unet(source(tiny_base), torch.float32).parameters())
    pipeline = load_pipeline(source(tiny_base), torch.float16, CPU)
    assert (pipeline.unet.dtype, pipeline.vae.dtype) == (torch.float16, torch.float32)


def test_shapes_are_those_of_the_denoiser(tiny_base):
    shapes = load_unet_shapes(source(tiny_base))
    assert shapes.device.type == "meta"
    loaded = load_unet(source(tiny_base), torch.float32).state_dict()
    assert {name: weight.shape for name, weight in shapes.state_dict().items()} == {
        n: w.shape for n, w in loaded.items()
    }


def test_prediction_type_of_params_is_the_pipelines_too(tiny_base):
    velocity = source(tiny_base, prediction_type="v_prediction")
    assert load_noise_scheduler(velocity).config.prediction_type == "v_prediction"
    assert load_pipeline(velocity, torch.float32, CPU).scheduler.config.prediction_type == "v_prediction"


def test_pipeline_of_an_older_schedule_does_not_say_what_its_author_should_change(tiny_base, tmp_path):
    older = configured("scheduler/scheduler_config.json", steps_offset=0, clip_sample=True)
    pipeline = load_pipeline(damaged(tiny_base, tmp_path, older), torch.float32, CPU)  # a warning would be an error
    assert pipeline.scheduler.config.steps_offset == 0


def cached(folder, tmp_path):
    """Put a folder into a hub cache; return what a process must know to find it there, offline."""
    shutil.copytree(folder, tmp_path / f"models--owner--photoreal/snapshots/{REVISION}")
    return os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}


def run(code, environment):
    lines = "from gentra_lora.base.checks import check_base; from gentra_lora.base.source import *; import torch\n"
    lines += f"source = BaseSource({HUB_ID!r}, {REVISION!r}); check_base(source)\n"
    return subprocess.run([sys.executable, "-c", lines + code], env=environment, capture_output=True, text=True)


def test_model_in_the_hub_cache_loads_without_a_network(tiny_base, tmp_path):
    code = (
        "from gentra_lora.base.model import load_pipeline\n"
        "pipeline = load_pipeline(source, torch.float32, torch.device('cpu'))\n"
        "print(pipeline.unet.config.in_channels, pipeline.tokenizer.model_max_length)"
    )
    done = run(code, cached(tiny_base, tmp_path))
    assert done.stdout.split() == ["4", "40"], done.stderr


def test_model_in_the_hub_cache_that_is_not_whole_is_refused(tiny_base, tmp_path):
    broken = damaged(tiny_base, tmp_path, without(UNET, "conv_in.weight"))
    code = (
        "from gentra_lora.base.model import load_unet\n"
        "try:\n    load_unet(source, torch.float32)\n"
        "except BaseModelError as error:\n    print(error)"
    )
    done = run(code, cached(broken.model, tmp_path))
    assert "lacks 1 of its weights (conv_in.weight)" in done.stdout, done.stderr
