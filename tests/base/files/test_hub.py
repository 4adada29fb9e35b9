"""Files of the hub from its cache, offline; and from a hub of ours."""

import shutil

import pytest
from huggingface_hub import constants

from gentra_lora.base.files.hub import hub_file, hub_folder
from gentra_lora.base.source import BaseModelError
from tests.base.damage import UNET

KEY, NAME, COMMIT, STEM = "base.model", "owner/photoreal", "c" * 40, "diffusion_pytorch_model"


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """An offline cache's folder of the commit."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "models--owner--photoreal/snapshots" / COMMIT
    folder.mkdir(parents=True)
    return folder


def known_to_be_missing(snapshot, *files):
    for file in files:
        mark = snapshot.parent.parent / ".no_exist" / COMMIT / file
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def test_cached_file_is_found_without_a_network(snapshot):
    (snapshot / "model_index.json").write_text("{}")
    assert hub_file(KEY, NAME, COMMIT, "model_index.json") == snapshot / "model_index.json"


def test_file_that_the_repository_is_known_not_to_have_is_none(snapshot):
    known_to_be_missing(snapshot, "vae/config.json")
    assert hub_file(KEY, NAME, COMMIT, "vae/config.json") is None


def test_file_that_nobody_can_tell_of_is_one_sentence(snapshot):
    with pytest.raises(BaseModelError) as caught:
        hub_file(KEY, NAME, COMMIT, "vae/config.json")
    words = str(caught.value)
    assert words.startswith("base.model: vae/config.json of owner/photoreal is not in the cache, and the hub does not")
    assert "look at the connection" in words and "\n" not in words


@pytest.fixture
def half(snapshot, tiny_base):
    """A repository that has the denoiser in fp16 alone."""
    shutil.copytree(tiny_base / "unet", snapshot / "unet")
    (snapshot / UNET).rename(snapshot / "unet" / f"{STEM}.fp16.safetensors")
    plain = f"{STEM}.safetensors", f"{STEM}.safetensors.index.json", f"{STEM}.bin"
    known_to_be_missing(snapshot, *(f"unet/{name}" for name in plain))
    return snapshot


def test_folder_of_a_part_may_hold_half_precision_alone(half):
    assert hub_folder(KEY, NAME, COMMIT, "unet", STEM) == half / "unet"


def test_half_precision_is_not_taken_where_plain_weights_may_be(half):
    """The same name must not mean other weights on the machine that has the others."""
    shutil.rmtree(half.parent.parent / ".no_exist")
    with pytest.raises(BaseModelError, match=r"unet/diffusion_pytorch_model\.safetensors of owner/photoreal is not in"):
        hub_folder(KEY, NAME, COMMIT, "unet", STEM)


def test_part_without_weights_is_refused(half):
    (half / "unet" / f"{STEM}.fp16.safetensors").unlink()
    known_to_be_missing(half, f"unet/{STEM}.fp16.safetensors")
    with pytest.raises(BaseModelError, match=rf"^base\.model: owner/photoreal@{COMMIT} has no weights unet/diffusion"):
        hub_folder(KEY, NAME, COMMIT, "unet", STEM)
