"""Crops of photos -> posterior of the VAE -> files -> scaled latents; captions -> prompt_embeds."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from gentra_lora.errors import InputError, first_line


class LatentsError(InputError):
    """Latents that must not be trained on; the message names the photo."""


@torch.no_grad()
def encode_photo(vae, pixel_values, file_name, batch_size):
    """Return the posterior's mean and std, float32 (V, 4, H/f, W/f) each, of one photo's crops (V, 3, H, W) in [-1, 1].

    Crops of different photos never share a batch: which other photos are there could change the last bits.

    Raises:
        LatentsError: the VAE gave a value that is not finite.
    """
    # channels_last: a third faster on the CPUs measured, and more than double in batches of six.
    pixel_values = pixel_values.to(vae.device, memory_format=torch.channels_last)
    posteriors = [vae.encode(crops).latent_dist for crops in pixel_values.split(batch_size)]
    mean, std = (torch.cat([getattr(p, name).cpu() for p in posteriors]).contiguous() for name in ("mean", "std"))
    if not (mean.isfinite().all() and std.isfinite().all()):
        raise LatentsError(f"{file_name}: the VAE returned values that are not finite; replace the photo or the VAE")
    return mean, std


@torch.no_grad()
def encode_prompt(text_encoder, ids):
    """Return the text encoder's last hidden state, float32 (L, D), of a prompt's token ids."""
    return text_encoder(torch.tensor([ids], device=text_encoder.device)).last_hidden_state[0].float().cpu().contiguous()


def token_ids(tokenizer, prompt):
    """Return the ids of a prompt, a list filled up or cut to the tokenizer's length."""
    return tokenizer(prompt, padding="max_length", truncation=True).input_ids


@dataclass(frozen=True)
class CachedPhotos:
    """Photos of one split; entry n of every field is the same photo. Photos may differ in H and W.

    What a step needs is read from the files in that step: memory does not grow with the number of photos.
    """

    file_names: list[str]
    digests: list[str]  # sha256 of the photos
    files: list[Path]
    shapes: list[tuple[int, int, int]]  # (4, H/f, W/f) of each photo's latents: its bucket
    crops: int  # crop variants of each

    def __len__(self):
        return len(self.files)

    def read(self, n, crop):
        """Return a crop's posterior mean and std, (4, H/f, W/f) each, and the caption's prompt_embeds (L, D)."""
        with safe_open(self.files[n], "pt") as file:
            mean, std = (file.get_slice(name)[crop] for name in ("mean", "std"))
            return mean, std, file.get_tensor("prompt_embeds")


def read_index(folder):
    """Return the index of a latents folder."""
    return json.loads((folder / "index.json").read_text(encoding="utf-8"))


def load_split(folder, split):
    """Return the CachedPhotos of a split, in the index's order.

    Raises:
        LatentsError: the index lists no photo of that split, or a file that it lists cannot be read.
    """
    rows = [row for row in read_index(folder)["photos"] if row["split"] == split]
    if not rows:
        raise LatentsError(f"{folder}: holds no photo of the split {split}; run `dvc repro cache_latents`")
    names, digests = ([row[key] for row in rows] for key in ("file_name", "sha256"))
    files = [folder / f"{row['key']}.safetensors" for row in rows]
    shapes = [_shape(file) for file in files]  # (V, 4, H/f, W/f)
    return CachedPhotos(names, digests, files, [shape[1:] for shape in shapes], shapes[0][0])


def _shape(path):
    try:
        with safe_open(path, "pt") as file:
            return tuple(file.get_slice("mean").get_shape())
    except (OSError, SafetensorError) as error:
        reason = first_line(error)
        raise LatentsError(f"{path}: cannot be read ({reason}); run `dvc repro -f cache_latents`") from error


def draw_latents(mean, std, eps, scaling_factor):
    """Return scaled latents (B, 4, H/f, W/f) drawn from the posterior with standard normal eps."""
    return (mean + std * eps) * scaling_factor


def read_empty_prompt(folder):
    """Return the embeddings (L, D) of the empty prompt."""
    return load_file(folder / f"{read_index(folder)['empty_prompt']}.safetensors")["prompt_embeds"]
