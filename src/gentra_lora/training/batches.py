"""What the denoiser is given: cached posteriors and captions, with a step's random choices applied."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch

from gentra_lora.latents.base_predictions import CachedPredictions
from gentra_lora.latents.cached_photos import CachedPhotos
from gentra_lora.latents.posteriors import draw_latents
from gentra_lora.training.sampling import Draw


@dataclass(frozen=True)
class TrainingData:
    """What training sees."""

    photos: CachedPhotos
    empty_prompt: torch.Tensor  # (L, D)
    scaling_factor: float  # of the VAE
    prior: CachedPredictions | None = None  # the base's own, for prior preservation


@dataclass(frozen=True)
class TensorBatch:
    """A batch, all of whose fields are tensors."""

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        return type(self)(*(getattr(self, part.name).to(device) for part in fields(self)))


@dataclass(frozen=True)
class Batch(TensorBatch):
    """Some of a step's samples."""

    latents: torch.Tensor  # (B, 4, h, w), scaled
    noise: torch.Tensor  # (B, 4, h, w)
    timesteps: torch.Tensor  # int64 (B,)
    prompt_embeds: torch.Tensor  # (B, L, D)


@dataclass(frozen=True)
class PriorBatch(TensorBatch):
    """Some of a step's base predictions."""

    noisy_latents: torch.Tensor  # (B, 4, h, w)
    timesteps: torch.Tensor  # int64 (B,)
    noise_pred: torch.Tensor  # (B, 4, h, w)
    prompt_embeds: torch.Tensor  # (B, L, D)


@dataclass(frozen=True)
class DenoiserBatch(TensorBatch):
    """What the denoiser is given, what it shall answer, and what its errors count."""

    noisy_latents: torch.Tensor  # (B, 4, h, w)
    timesteps: torch.Tensor  # int64 (B,)
    prompt_embeds: torch.Tensor  # (B, L, D)
    target: torch.Tensor  # (B, 4, h, w)
    weights: torch.Tensor  # (B,), of a sample's error
    areas: torch.Tensor  # (B, 1, h, w), of the error of each of its latents


def joined(batches: Sequence[DenoiserBatch]) -> DenoiserBatch:
    """Return batches of one shape as one."""
    return DenoiserBatch(*(torch.cat([getattr(batch, part.name) for batch in batches]) for part in fields(batches[0])))


def masks_of(photos: CachedPhotos, draw: Draw, chosen: torch.Tensor) -> torch.Tensor:
    """Return where the samples `chosen` of a Draw show the subject, (B, 1, h, w) in [0, 1]."""
    pairs = zip(draw.photos[chosen].tolist(), draw.crops[chosen].tolist(), strict=True)
    return torch.stack([photos.read_mask(n, crop) for n, crop in pairs])


def micro_batch(data: TrainingData, draw: Draw, chosen: torch.Tensor) -> Batch:
    """Return the Batch of the samples `chosen`, int64 (B,), of a Draw over the photos."""
    pairs = zip(draw.photos[chosen].tolist(), draw.crops[chosen].tolist(), strict=True)
    read = [data.photos.read(n, crop) for n, crop in pairs]
    mean, std, prompt_embeds = (torch.stack(parts) for parts in zip(*read, strict=True))
    return Batch(
        latents=draw_latents(mean, std, draw.eps[chosen], data.scaling_factor),
        noise=draw.noise[chosen],
        timesteps=draw.timesteps[chosen],
        prompt_embeds=torch.where(draw.caption_dropped[chosen, None, None], data.empty_prompt, prompt_embeds),
    )


def prior_batch(prior: CachedPredictions, chosen: torch.Tensor, draws: torch.Tensor) -> PriorBatch:
    """Return the PriorBatch of the files `chosen` and their `draws`, int64 (B,) each."""
    read = [prior.read(n, draw) for n, draw in zip(chosen.tolist(), draws.tolist(), strict=True)]
    return PriorBatch(*(torch.stack(parts) for parts in zip(*read, strict=True)))
