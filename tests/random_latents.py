"""Cached photos of random latents, for what trains on latents alone."""

import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from gentra_lora.latents.cached_photos import CachedPhotos

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
