"""The base as one .safetensors file in the original layout: every part is the one of the diffusers folder."""

import json
import shutil

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from gentra_lora.base.model import (
    load_noise_scheduler,
    load_pipeline,
    load_text_encoder,
    load_tokenizer,
    load_unet,
    load_vae,
)
from gentra_lora.base.source import BaseModelError, BaseSource, check_base
from tests.ldm_layout import ldm_state_dict

CPU = torch.device("cpu")
# Where from_single_file looks for the configs of an SD 1.x file, and what the index there lists unlike tiny_base's.
CONFIGS = "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
HUB_INDEX = {
    "scheduler": ["diffusers", "PNDMScheduler"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
}
VAE_KEYS = "first_stage_model."
LOAD = {"unet": lambda source: load_unet(source, torch.float32), "vae": load_vae, "text_encoder": load_text_encoder}
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


@pytest.fixture
def hub(tiny_base, tmp_path, monkeypatch):
    """An offline hub cache with the repository of the configs; its weights are others and must not be taken."""
    repository, commit = tmp_path / "hub" / CONFIGS, "a" * 40
    shutil.copytree(tiny_base, repository / "snapshots" / commit)
    index = repository / "snapshots" / commit / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | HUB_INDEX))
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository


def single_file(folder, path, lacks=None):
    """Write the folder's weights in the original layout, but for keys that start with `lacks`; return the source."""
    # Buffers that real files hold besides the weights.
    buffers = {"cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(40)[None]}
    weights = ldm_state_dict(folder) | buffers | {"alphas_cumprod": torch.rand(1000)}
    save_file({key: tensor for key, tensor in weights.items() if lacks is None or not key.startswith(lacks)}, path)
    return BaseSource(str(path))


@pytest.fixture
def source(folder, hub, tmp_path):
    return single_file(folder, tmp_path / "base.safetensors")


def assert_same_weights(part, expected):
    part, expected = part.state_dict(), expected.state_dict()
    assert part.keys() == expected.keys()
    assert [key for key in part if not torch.equal(part[key], expected[key])] == []


@pytest.mark.parametrize("part", PARTS)
def test_part_of_a_single_file_has_the_weights_of_the_folder(source, folder, part):
    check_base(source)
    assert_same_weights(LOAD[part](source), LOAD[part](BaseSource(str(folder))))


def test_tokenizer_of_a_single_file_spells_as_the_folders(source, folder):
    caption = "a gentra, snow"
    assert load_tokenizer(source)(caption).input_ids == load_tokenizer(BaseSource(str(folder)))(caption).input_ids


def test_noise_schedule_of_a_single_file_is_the_folders(source, folder):
    schedule, expected = load_noise_scheduler(source), load_noise_scheduler(BaseSource(str(folder)))
    assert type(schedule) is type(expected)
    assert torch.equal(schedule.alphas_cumprod, expected.alphas_cumprod)
    for name in ("prediction_type", "clip_sample", "steps_offset"):
        assert schedule.config[name] == expected.config[name]


def test_pipeline_of_a_single_file_is_the_folders(source, folder):
    pipeline = load_pipeline(source, torch.float32, CPU)
    expected = load_pipeline(BaseSource(str(folder)), torch.float32, CPU)
    for part in PARTS:
        assert_same_weights(getattr(pipeline, part), getattr(expected, part))
    assert pipeline.safety_checker is None


def test_half_precision_file_gives_a_float32_vae(folder, hub, tmp_path):
    halved = {key: tensor.half() for key, tensor in ldm_state_dict(folder).items()}
    save_file(halved, tmp_path / "base.safetensors")
    pipeline = load_pipeline(BaseSource(str(tmp_path / "base.safetensors")), torch.float16, CPU)
    assert (pipeline.unet.dtype, pipeline.vae.dtype) == (torch.float16, torch.float32)


def test_file_without_a_vae_takes_the_separate_one(folder, hub, tmp_path):
    alone = single_file(folder, tmp_path / "base.safetensors", VAE_KEYS)
    source = BaseSource(alone.model, vae=str(folder / "vae"))
    assert_same_weights(load_pipeline(source, torch.float32, CPU).vae, load_vae(BaseSource(str(folder))))


@pytest.mark.parametrize(
    ("part", "lacks"),
    [
        ("unet", "model.diffusion_model."),
        ("unet", "model.diffusion_model.middle_block.1.norm.weight"),
        ("vae", VAE_KEYS),
        ("vae", "first_stage_model.quant_conv.weight"),
        ("text_encoder", "cond_stage_model."),
        ("text_encoder", "cond_stage_model.transformer.text_model.final_layer_norm.weight"),
    ],
)
def test_file_that_lacks_weights_is_an_error_that_names_the_base(folder, hub, tmp_path, part, lacks):
    source = single_file(folder, tmp_path / "base.safetensors", lacks)
    with pytest.raises(BaseModelError, match=r"base\.model: .*base\.safetensors .*(missing|lacks)"):
        LOAD[part](source)


def test_cut_file_is_an_error_that_names_the_base(source):
    with open(source.model, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(BaseModelError, match=r"base\.model: .*base\.safetensors"):
        load_text_encoder(source)


def test_missing_configs_are_an_error_that_names_the_base(source, hub):
    shutil.rmtree(hub)
    with pytest.raises(BaseModelError, match=r"base\.model: .*base\.safetensors"):
        load_unet(source, torch.float32)
