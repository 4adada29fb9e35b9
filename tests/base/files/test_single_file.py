"""The base as one .safetensors file in the original layout: every part is the one of the diffusers folder."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from gentra_lora.base.checks import check_base
from gentra_lora.base.files import configs
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
from tests.base.loads import LOAD
from tests.ldm_layout import ldm_state_dict

CPU = torch.device("cpu")
VAE_KEYS, UNET_KEYS, TEXT_KEYS = (
    "first_stage_model.",
    "model.diffusion_model.",
    "cond_stage_model.transformer.text_model.",
)
PARTS = list(LOAD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_base):
    """tiny_base with random weights throughout: its norms, all 1 and 0, would hide two keys that are swapped."""
    copied = tmp_path_factory.mktemp("folder") / "base"
    shutil.copytree(tiny_base, copied)
    torch.manual_seed(1)
    for path in copied.rglob("*.safetensors"):
        weights = {key: torch.randn_like(tensor) for key, tensor in load_file(path).items()}
        save_file(weights, path, metadata={"format": "pt"})
    return copied


@pytest.fixture(autouse=True)
def sd1(tiny_base, tmp_path, monkeypatch):
    """The tiny base's configuration in the place of Stable Diffusion 1.x's, and a tokenizer without a merge."""
    known = tmp_path / "sd1"
    shutil.copytree(tiny_base, known, ignore=shutil.ignore_patterns("*.safetensors", "tokenizer.json"))
    (known / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    monkeypatch.setattr(configs, "SD1", known)
    return known


def weights_of(folder):
    """Return the folder's weights in the original layout, with buffers that real files hold besides them."""
    buffers = {f"{TEXT_KEYS}embeddings.position_ids": torch.arange(40)[None]}
    return ldm_state_dict(folder) | buffers | {"alphas_cumprod": torch.rand(1000)}


def single_file(folder, path, change=lambda weights: weights):
    save_file(change(weights_of(folder)), path)
    return BaseSource(str(path))


def lacking(start):
    return lambda weights: {name: weight for name, weight in weights.items() if not name.startswith(start)}


@pytest.fixture
def source(folder, tmp_path):
    return single_file(folder, tmp_path / "base.safetensors")


def assert_same_weights(part, expected):
    part, expected = part.state_dict(), expected.state_dict()
    assert part.keys() == expected.keys()
    assert [key for key in part if not torch.equal(part[key], expected[key])] == []


@pytest.mark.parametrize("part", PARTS)
def test_part_of_a_single_file_has_the_weights_of_the_folder(source, folder, part):
    check_base(source)
    assert_same_weights(LOAD[part](source), LOAD[part](BaseSource(str(folder))))


def test_no_hub_is_asked(source, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nowhere")
    check_base(source)
    load_pipeline(source, torch.float32, CPU)


def test_shapes_of_a_single_file_are_there_without_its_weights(source):
    unet = load_unet_shapes(source)
    assert unet.device.type == "meta"
    assert unet.conv_in.weight.shape == (16, 4, 3, 3)


def test_noise_schedule_of_a_single_file_is_the_folders(source, folder):
    schedule, expected = load_noise_scheduler(source), load_noise_scheduler(BaseSource(str(folder)))
    assert torch.equal(schedule.alphas_cumprod, expected.alphas_cumprod)


def test_pipeline_of_a_single_file_is_the_folders(source, folder):
    pipeline = load_pipeline(source, torch.float32, CPU)
    expected = load_pipeline(BaseSource(str(folder)), torch.float32, CPU)
    for part in PARTS:
        assert_same_weights(getattr(pipeline, part), getattr(expected, part))
    assert pipeline.safety_checker is None
    assert len(load_tokenizer(source)) == 514


def test_half_precision_file_gives_a_float32_vae(folder, tmp_path):
    source = single_file(folder, tmp_path / "base.safetensors", lambda w: {name: t.half() for name, t in w.items()})
    pipeline = load_pipeline(source, torch.float16, CPU)
    assert (pipeline.unet.dtype, pipeline.vae.dtype) == (torch.float16, torch.float32)


def test_text_encoder_may_lack_text_model_in_its_names(folder, tmp_path):
    def older(weights):
        return {name.replace("transformer.text_model.", "transformer."): weight for name, weight in weights.items()}

    source = single_file(folder, tmp_path / "base.safetensors", older)
    check_base(source)
    assert_same_weights(load_text_encoder(source), load_text_encoder(BaseSource(str(folder))))


def test_file_without_a_vae_takes_the_separate_one(folder, tmp_path):
    alone = single_file(folder, tmp_path / "base.safetensors", lacking(VAE_KEYS))
    source = BaseSource(alone.model, vae=str(folder / "vae"))
    check_base(source)
    assert_same_weights(load_pipeline(source, torch.float32, CPU).vae, load_vae(BaseSource(str(folder))))


LACKS = [
    ("unet", UNET_KEYS),
    ("unet", f"{UNET_KEYS}middle_block.1.norm.weight"),
    ("vae", VAE_KEYS),
    ("vae", f"{VAE_KEYS}quant_conv.weight"),
    ("text_encoder", "cond_stage_model."),
    ("text_encoder", f"{TEXT_KEYS}final_layer_norm.weight"),
]


@pytest.mark.parametrize(("part", "lacks"), LACKS)
def test_file_that_lacks_weights_is_refused_before_anything_is_loaded(folder, tmp_path, part, lacks):
    source = single_file(folder, tmp_path / "base.safetensors", lacking(lacks))
    for look in (check_base, LOAD[part]):
        with pytest.raises(BaseModelError, match=rf"^base\.model: .*base\.safetensors lacks .*{lacks.split('.')[-2]}"):
            look(source)


def test_file_without_a_vae_says_where_to_name_one(folder, tmp_path):
    source = single_file(folder, tmp_path / "base.safetensors", lacking(VAE_KEYS))
    with pytest.raises(BaseModelError, match=r"lacks the vae \(first_stage_model\.\*\); name one in base\.vae$"):
        check_base(source)


def test_weights_that_sd1_does_not_have_are_named(folder, tmp_path):
    more = {f"{UNET_KEYS}fuser.alpha": torch.ones(1)}
    source = single_file(folder, tmp_path / "base.safetensors", lambda weights: weights | more)
    with pytest.raises(BaseModelError, match=r"holds 1 that such a model does not have \(fuser\.alpha\)"):
        check_base(source)


def test_weights_of_another_shape_are_named(folder, tmp_path):
    other = {f"{UNET_KEYS}out.2.bias": torch.ones(5)}
    source = single_file(folder, tmp_path / "base.safetensors", lambda weights: weights | other)
    with pytest.raises(BaseModelError, match=r"another shape \(out\.2\.bias is \[5\], not \[4\]\)"):
        check_base(source)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("lora_unet_mid_block.lora_down.weight", r"is an adapter \(LoRA\), and no base .*; name the base that it was"),
        ("conditioner.embedders.0.model.x", "is an SDXL model, and no base that can learn here; take one of Stable"),
        ("cond_stage_model.model.ln_final.bias", "is an SD 2.x model in one file, .*; SD 2.x is taken as a diffusers"),
        ("decoder.conv_in.weight", r"is an autoencoder \(VAE\), .*; it belongs in base\.vae"),
        ("down_blocks.0.x", r"is one part of a diffusers folder, .*; name the folder that holds model_index\.json"),
    ],
)
def test_other_kinds_of_files_are_refused_with_the_way_out(tmp_path, name, says):
    save_file({name: torch.ones(4, 4)}, tmp_path / "base.safetensors")
    with pytest.raises(BaseModelError, match=rf"^base\.model: .*base\.safetensors {says}"):
        check_base(BaseSource(str(tmp_path / "base.safetensors")))


def test_inpainting_model_is_refused(folder, tmp_path):
    nine = {f"{UNET_KEYS}input_blocks.0.0.weight": torch.ones(16, 9, 3, 3)}
    source = single_file(folder, tmp_path / "base.safetensors", lambda weights: weights | nine)
    with pytest.raises(BaseModelError, match="is an inpainting model"):
        check_base(source)


def test_cut_file_is_refused(source):
    with open(source.model, "r+b") as file:
        file.truncate(1000)
    for look in (check_base, load_text_encoder):
        with pytest.raises(BaseModelError, match=r"^base\.model: .*base\.safetensors is cut"):
            look(source)


def test_weights_that_are_no_numbers_are_refused(folder, tmp_path):
    broken = {f"{UNET_KEYS}out.2.bias": torch.full((4,), float("nan"))}
    source = single_file(folder, tmp_path / "base.safetensors", lambda weights: weights | broken)
    with pytest.raises(BaseModelError, match=r"conv_out\.bias of the unet is not finite"):
        load_unet(source, torch.float32)


def vae_weights(folder, change):
    found = {name: weight for name, weight in ldm_state_dict(folder).items() if name.startswith(VAE_KEYS)}
    return {change(name.removeprefix(VAE_KEYS)): weight for name, weight in found.items()}


@pytest.mark.parametrize("prefix", ["", VAE_KEYS, "vae."])
def test_autoencoder_may_be_a_file_of_its_own(folder, tiny_base, tmp_path, prefix):
    leftovers = {f"{prefix}loss.logvar": torch.ones(1), f"{prefix}model_ema.decay": torch.ones(1)}
    save_file(vae_weights(folder, lambda name: prefix + name) | leftovers, tmp_path / "vae.safetensors")
    source = BaseSource(str(tiny_base), vae=str(tmp_path / "vae.safetensors"))
    check_base(source)
    assert_same_weights(load_vae(source), load_vae(BaseSource(str(folder))))


def test_autoencoder_may_be_the_file_of_a_diffusers_folder(folder, tiny_base):
    source = BaseSource(str(tiny_base), vae=str(folder / "vae/diffusion_pytorch_model.safetensors"))
    check_base(source)
    assert_same_weights(load_vae(source), load_vae(BaseSource(str(folder))))


def test_autoencoder_may_be_taken_from_a_whole_checkpoint(source, folder, tiny_base):
    separate = BaseSource(str(tiny_base), vae=source.model)
    check_base(separate)
    assert_same_weights(load_vae(separate), load_vae(BaseSource(str(folder))))


def test_autoencoder_in_a_file_has_the_bases_own_scale(folder, tiny_base, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    config = json.loads((base / "vae/config.json").read_text())
    (base / "vae/config.json").write_text(json.dumps(config | {"scaling_factor": 0.5}))
    source = BaseSource(str(base), vae=str(folder / "vae/diffusion_pytorch_model.safetensors"))
    assert load_vae(source).config.scaling_factor == 0.5


def test_file_that_is_no_autoencoder_is_refused(tiny_base, folder, tmp_path):
    single_file(folder, tmp_path / "vae.safetensors", lacking(VAE_KEYS))
    source = BaseSource(str(tiny_base), vae=str(tmp_path / "vae.safetensors"))
    for look in (check_base, load_vae):
        with pytest.raises(
            BaseModelError, match=r"^base\.vae: .* is a checkpoint without an autoencoder; take an auto"
        ):
            look(source)


def test_autoencoder_of_another_size_is_refused(tiny_base, folder, tmp_path):
    weights = vae_weights(folder, str) | {"decoder.conv_in.weight": torch.ones(16, 16, 3, 3)}
    save_file(weights, tmp_path / "vae.safetensors")
    source = BaseSource(str(tiny_base), vae=str(tmp_path / "vae.safetensors"))
    with pytest.raises(
        BaseModelError, match=r"^base\.vae: .* another shape \(decoder\.conv_in\.weight is \[16, 16, 3, 3"
    ):
        check_base(source)
