"""Tiny real models: the classes of the real base with random weights, and a folder of photos to walk through."""

import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import httplib2
import numpy as np
import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # tiny models are slower on more; set before torch reads it

import torch
import yaml
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from dvc.repo import Repo
from dvc.utils.serialize import dumps_yaml
from PIL import Image
from pydrive2.fs import GDriveFileSystem
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gentra_lora.base.libraries import hush_libraries
from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.objects import push
from gentra_lora.latents.cached_photos import CachedPhotos
from gentra_lora.params import parse_params
from gentra_lora.stages import cache_latents, prepare
from tests.dvc_project import make_history
from tests.fake_drive import FakeDrive
from tests.serving import served, serving_repo  # noqa: F401 - fixtures

ROOT = Path(__file__).parent.parent
PROFILES = ("demo", "sd15_a100", "sd15_t4")  # those that ship; an owner may add some
needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this copy is no git repository")
hush_libraries()


@pytest.fixture(scope="session")
def tokenizer():
    """CLIP's byte tokens without a merge: it spells everything, in at most 40 tokens."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(a + "</w>" for a in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=40)


@pytest.fixture(scope="session")
def text_config(tokenizer):
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def make_unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )


@pytest.fixture
def tiny_unet():
    return make_unet().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory, tokenizer, text_config):
    """The folder of a whole Stable Diffusion pipeline at 64 px, 16 x 16 latents."""
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    vae = AutoencoderKL(block_out_channels=(8, 8, 16), layers_per_block=1, norm_num_groups=1, sample_size=64, **blocks)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text_config),
        tokenizer=tokenizer,
        unet=make_unet(),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    folder = tmp_path_factory.mktemp("base") / "tiny-sd"
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory, tokenizer, text_config):
    """The folder of a CLIP model with a picture tower, for scores."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 16,
    }
    model = CLIPModel(CLIPConfig(text_config=text_config.to_dict(), vision_config=vision, projection_dim=16))
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


CACHES = []  # folders that live as long as the process


def cached_photos(count=5, crops=2, change=lambda n, tensors: None):
    """Return CachedPhotos of random latents (4, 16, 16); `change` may change the tensors of photo n before they lie."""
    CACHES.append(tempfile.TemporaryDirectory())
    folder, generator, shapes = Path(CACHES[-1].name), torch.Generator().manual_seed(4), []
    for n in range(count):
        tensors = {
            "mean": torch.randn(crops, 4, 16, 16, generator=generator),
            "std": torch.rand(crops, 4, 16, 16, generator=generator) * 0.1,
            "prompt_embeds": torch.randn(40, 32, generator=generator),
        }
        change(n, tensors)
        save_file(tensors, folder / f"{n}.safetensors")
        shapes.append(tuple(tensors["mean"].shape[1:]))
    names = [f"{n}.png" for n in range(count)]
    files = [folder / f"{n}.safetensors" for n in range(count)]
    return CachedPhotos(names, [f"digest{n}" for n in range(count)], files, shapes, crops)


def shipped_dvc_yaml():
    """Return the text of dvc.yaml without the deps that `gentra-lora base` adds for an owner's local base."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    ours = ("${", "data/", "models/nano-", "models/sport_gentra_lora.", "reports/", "src/")
    deps = [dep for stage in yaml.safe_load(text)["stages"].values() for dep in stage["deps"]]
    own = {f"      - {dep}" for dep in deps if not dep.startswith(ours)}
    return "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in own)


def demo_values():
    """Return the values of profiles/demo.yaml."""
    return parse_params((ROOT / "profiles/demo.yaml").read_text(encoding="utf-8"), "profiles/demo.yaml")


def tiny_values(base, clip):
    """Return the values of a params.yaml that takes seconds."""
    values = demo_values()
    values["base"]["model"] = str(base)
    values["prepare"] |= {"raw_dir": "data/raw", "resolution": 64, "trigger_word": "gentra", "held_out_share": 0.3}
    values["cache_latents"]["crop_variants"] = 2
    values["train"] |= {"rank": 4, "lora_alpha": 2, "steps": 6, "lr_warmup_steps": 1, "batch_size": 2}
    values["train"] |= {"held_out_every": 3, "checkpoint_every": 2, "sample_prompts": ["a gentra, snow"]}
    values["evaluate"] |= {"likeness_model": str(clip), "prompt_model": str(clip), "seeds": [1]}
    values["evaluate"] |= {"prompts": ["gentra, snow"], "drift_prompts": ["a van"], "num_inference_steps": 2}
    return values


def write_photos(folder, count=8, size=(96, 80)):
    """Write `count` photos of soft coloured patches, each its own, with captions; return their names."""
    images = folder / "images"
    images.mkdir(parents=True)
    names = [f"car{n}.png" for n in range(1, count + 1)]
    for n, name in enumerate(names):
        patches = np.random.default_rng(n).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC).save(images / name)
    (folder / "captions.txt").write_text("".join(f"{name}\ta gentra, view {name}\n" for name in names))
    return names


@contextmanager
def full_disk(limit=20_000):
    """No file can grow beyond `limit` bytes inside, as on a full disk. Keep pytest's own output out of it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def workspace(tmp_path, monkeypatch, tiny_base, tiny_clip):
    """A folder with photos, captions and a params.yaml for the tiny models; the current one during the test."""
    values = tiny_values(tiny_base, tiny_clip)
    write_photos(tmp_path / "data/raw")
    (tmp_path / "params.yaml").write_text(dumps_yaml(values))
    listed = "".join(
        f"  {stage}:\n    deps: ['{tiny_base}', '{tiny_clip}']\n"
        for stage in ("prepare", "cache_latents", "train", "evaluate")
    )
    (tmp_path / "dvc.yaml").write_text("stages:\n" + listed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENTRA_CHECKPOINTS", raising=False)
    return tmp_path


@pytest.fixture
def cached(workspace):
    """The workspace after prepare and cache_latents."""
    prepare.main()
    cache_latents.main()
    return workspace


def change(workspace, block, **values):
    """Change values in the workspace's params.yaml."""
    path = workspace / "params.yaml"
    params = parse_params(path.read_text(), str(path))
    params[block] |= values
    path.write_text(dumps_yaml(params))


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """A DVC project of three commits and an experiment, pushed; not to be changed, see `project`."""
    top = tmp_path_factory.mktemp("history")
    (top / "remote").mkdir()
    folder = make_history(top / "project", top / "remote")
    with Repo(str(folder)) as repo:
        push(repo, open_folder(repo))
    return folder


@pytest.fixture
def project(history, tmp_path, monkeypatch):
    """A copy of `history` with a remote of its own, as the current folder."""
    shutil.copytree(history.parent, tmp_path / "top", symlinks=True)
    folder = tmp_path / "top/project"
    (folder / ".dvc/config.local").write_text(f"['remote \"drive\"']\n    url = {tmp_path / 'top/remote'}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def fake_drive(monkeypatch, tmp_path):
    """A Drive server of ours that this process's clients take for Google's."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))  # every server gives the same ids to its items
    with FakeDrive() as drive:
        for name, value in drive.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(httplib2, "CA_CERTS", drive.environment()["HTTPLIB2_CA_CERTS"])
        GDriveFileSystem.clear_instance_cache()
        yield drive
        GDriveFileSystem.clear_instance_cache()
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()  # the client leaves its connections open


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """A git repository with the shipped profiles, its params.yaml committed."""
    (tmp_path / "profiles").mkdir()
    for name in PROFILES:
        shutil.copy(ROOT / f"profiles/{name}.yaml", tmp_path / "profiles")
    shutil.copy(ROOT / "profiles/demo.yaml", tmp_path / "params.yaml")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def demo_project(profiles):
    (profiles / "dvc.yaml").write_text(shipped_dvc_yaml(), encoding="utf-8")
    (profiles / "models").mkdir()
    (profiles / "models/nano-sd").symlink_to(ROOT / "models/nano-sd")
    return profiles
