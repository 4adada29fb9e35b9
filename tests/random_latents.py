"""Cached photos of random latents, for what trains on latents alone."""

import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from gentra_lora.latents.base_predictions import CachedPredictions
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


def cached_predictions(predict, count=3, draws=2):
    """Return CachedPredictions of random noisy latents (4, 16, 16).

    Args:
        predict: noisy latents, timesteps and prompt_embeds, of `draws` samples, to their noise_pred.
    """
    CACHES.append(tempfile.TemporaryDirectory())
    folder, generator = Path(CACHES[-1].name), torch.Generator().manual_seed(5)
    files = [folder / f"prior-{n}.safetensors" for n in range(count)]
    for file in files:
        noisy_latents = torch.randn(draws, 4, 16, 16, generator=generator)
        timesteps = torch.randint(1000, (draws,), generator=generator)
        embeds = torch.randn(40, 32, generator=generator)
        with torch.no_grad():
            noise_pred = predict(noisy_latents, timesteps, embeds.expand(draws, -1, -1))
        made = {"noisy_latents": noisy_latents, "timesteps": timesteps, "noise_pred": noise_pred.contiguous()}
        save_file(made | {"prompt_embeds": embeds}, file)
    return CachedPredictions(files, [(4, 16, 16)] * count, draws)
