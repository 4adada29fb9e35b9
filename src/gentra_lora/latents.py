"""Crops of photos -> posterior of the VAE -> files keyed by content -> scaled latents."""

import hashlib
import json
import random
from dataclasses import dataclass

import torch
from safetensors.torch import load_file, save_file

from gentra_lora.errors import InputError

LAYOUT_VERSION = 1  # part of the key: raised when what a file holds changes


class LatentsError(InputError):
    """Latents that must not be trained on; the message names the photo."""


def crop_boxes(sha256, size, variants, min_scale, resolution):
    """Return `variants` squares (left, top, side) in px within a (width, height) photo.

    The first is the largest centred one; the others have min_scale to 1 of its side, but never less than `resolution`
    px, below which they would be enlarged; they lie anywhere.
    """
    width, height = size
    largest = min(size)
    boxes = [((width - largest) / 2, (height - largest) / 2, largest)]
    # Seeded by the photo's content: adding one photo must not change the crops of the others.
    rng = random.Random(sha256)
    for _ in range(variants - 1):
        side = max(largest * rng.uniform(min_scale, 1), min(resolution, largest))
        boxes.append((rng.uniform(0, width - side), rng.uniform(0, height - side), side))
    return boxes


def content_key(sha256, boxes, resolution, caption, base):
    """Return the name of the file that holds exactly these latents and this caption's embeddings."""
    parts = [LAYOUT_VERSION, sha256, boxes, resolution, caption, base]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@torch.no_grad()
def encode_photo(vae, pixel_values, file_name):
    """Return the posterior's mean and std, float32 (V, 4, R/f, R/f) each, of crops (V, 3, R, R) in [-1, 1].

    Raises:
        LatentsError: the VAE gave a value that is not finite.
    """
    # One crop at a time: eight of 768 px in float32 do not fit a 16 GB GPU.
    posteriors = [vae.encode(crop.to(vae.device)).latent_dist for crop in pixel_values.split(1)]
    mean, std = (torch.cat([getattr(p, name).cpu() for p in posteriors]) for name in ("mean", "std"))
    if not (mean.isfinite().all() and std.isfinite().all()):
        raise LatentsError(f"{file_name}: the VAE returned values that are not finite; replace the photo or the VAE")
    return mean, std


@torch.no_grad()
def encode_prompt(tokenizer, text_encoder, prompt):
    """Return the text encoder's last hidden state of a prompt, float32 (L, D)."""
    ids = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
    return text_encoder(ids.to(text_encoder.device)).last_hidden_state[0].float().cpu().contiguous()


@dataclass(frozen=True)
class CachedPhotos:
    """Photos of one split in memory; row n of every field is the same photo."""

    file_names: list[str]
    digests: list[str]  # sha256 of the photos
    mean: torch.Tensor  # (N, V, 4, R/f, R/f)
    std: torch.Tensor  # (N, V, 4, R/f, R/f)
    prompt_embeds: torch.Tensor  # (N, L, D)

    def __len__(self):
        return len(self.file_names)


def write_index(folder, rows, scaling_factor, base):
    """Write index.json: which file belongs to which photo, and what all of them share."""
    index = {"base": base, "scaling_factor": scaling_factor, "photos": rows}
    (folder / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_index(folder):
    """Return the index of a latents folder."""
    return json.loads((folder / "index.json").read_text(encoding="utf-8"))


def write_latents(path, mean, std, prompt_embeds):
    """Write one photo's file."""
    save_file({"mean": mean, "std": std, "prompt_embeds": prompt_embeds}, path)


def load_split(folder, split):
    """Return the CachedPhotos of a split, in the index's order.

    Raises:
        LatentsError: the index lists no photo of that split, or files of unequal shape.
    """
    rows = [row for row in read_index(folder)["photos"] if row["split"] == split]
    if not rows:
        raise LatentsError(f"{folder}: holds no photo of the split {split}; run `dvc repro cache_latents`")
    files = [load_file(folder / f"{row['key']}.safetensors") for row in rows]
    stacked = {name: torch.stack([file[name] for file in files]) for name in ("mean", "std", "prompt_embeds")}
    return CachedPhotos([row["file_name"] for row in rows], [row["sha256"] for row in rows], **stacked)


def draw_latents(mean, std, eps, scaling_factor):
    """Return scaled latents (B, 4, R/f, R/f) drawn from the posterior with standard normal eps."""
    return (mean + std * eps) * scaling_factor


def write_empty_prompt(folder, prompt_embeds):
    """Write the embeddings (L, D) of the empty prompt, which stand in for a dropped caption."""
    save_file({"prompt_embeds": prompt_embeds}, folder / "empty_prompt.safetensors")


def read_empty_prompt(folder):
    """Return the embeddings (L, D) of the empty prompt."""
    return load_file(folder / "empty_prompt.safetensors")["prompt_embeds"]
