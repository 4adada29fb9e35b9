import json

import pytest
import torch
from safetensors.torch import save_file

from gentra_lora.latents.cached_photos import load_split
from gentra_lora.latents.posteriors import LatentsError


def write_folder(folder, rows):
    index = {"base": "base", "scaling_factor": 0.2, "empty_prompt": "none", "photos": rows}
    (folder / "index.json").write_text(json.dumps(index))


def test_split_is_loaded_by_key_not_by_position(tmp_path):
    rows = []
    for n, split in enumerate(("train", "held_out", "train")):
        value = torch.full((1, 4, 2, 2 + n), float(n))
        tensors = {"mean": value, "std": value.clone(), "prompt_embeds": torch.full((3, 5), float(n))}
        save_file(tensors, tmp_path / f"k{n}.safetensors")
        rows.append({"file_name": f"{n}.png", "sha256": str(n), "split": split, "key": f"k{n}"})
    write_folder(tmp_path, rows[::-1])
    photos = load_split(tmp_path, "train")
    assert photos.file_names == ["2.png", "0.png"]
    assert photos.shapes == [(4, 2, 4), (4, 2, 2)]
    for n, value in ((0, 2), (1, 0)):
        assert [tensor.unique().item() for tensor in photos.read(n, 0)] == [value] * 3


def test_one_crop_is_read_not_all(tmp_path):
    mean = torch.arange(3.0)[:, None, None, None].expand(3, 4, 2, 2).contiguous()
    save_file({"mean": mean, "std": mean + 10, "prompt_embeds": torch.zeros(3, 5)}, tmp_path / "k.safetensors")
    write_folder(tmp_path, [{"file_name": "a.png", "sha256": "a", "split": "train", "key": "k"}])
    photos = load_split(tmp_path, "train")
    assert photos.crops == 3
    found, std, _ = photos.read(0, 2)
    assert found.shape == (4, 2, 2)
    assert (found.unique().item(), std.unique().item()) == (2, 12)


def test_file_that_lacks_or_is_cut_is_named_with_the_way_out(tmp_path):
    write_folder(tmp_path, [{"file_name": "a.png", "sha256": "a", "split": "train", "key": "k"}])
    with pytest.raises(LatentsError, match=r"k\.safetensors: cannot be read .*dvc repro -f cache_latents"):
        load_split(tmp_path, "train")
    (tmp_path / "k.safetensors").write_bytes(b"cut")
    with pytest.raises(LatentsError, match=r"k\.safetensors: cannot be read"):
        load_split(tmp_path, "train")


def test_empty_split_is_an_error(tmp_path):
    write_folder(tmp_path, [])
    with pytest.raises(LatentsError, match="holds no photo of the split train"):
        load_split(tmp_path, "train")


def test_mask_of_a_crop_is_read_and_a_photo_without_one_is_all_subject(tmp_path):
    tensors = {"mean": torch.zeros(2, 4, 2, 3), "std": torch.zeros(2, 4, 2, 3), "prompt_embeds": torch.zeros(3, 5)}
    save_file(tensors, tmp_path / "plain.safetensors")
    masks = torch.stack([torch.zeros(1, 2, 3), torch.full((1, 2, 3), 0.5)])
    save_file(tensors | {"mask": masks}, tmp_path / "masked.safetensors")
    rows = [{"file_name": key, "sha256": key, "split": "train", "key": key} for key in ("plain", "masked")]
    write_folder(tmp_path, rows)
    photos = load_split(tmp_path, "train")
    assert torch.equal(photos.read_mask(0, 1), torch.ones(1, 2, 3))
    assert torch.equal(photos.read_mask(1, 1), masks[1])
