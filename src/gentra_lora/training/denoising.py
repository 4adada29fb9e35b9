"""The denoising objective: target, weights, loss. No randomness, no files."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from diffusers.models import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from gentra_lora.training.batches import Batch, DenoiserBatch, PriorBatch

LEAST_SEEN = 0.05  # of a crop, by weight


def snr(alphas_cumprod: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """Return the signal-to-noise ratio of each sample, shape (B,).

    Hang et al. 2023, arXiv 2303.09556: alpha_bar / (1 - alpha_bar).

    Args:
        alphas_cumprod: (1000,), falling from 1 towards 0.
        timesteps: int64 (B,), each 0-999.
    """
    alpha_bar = alphas_cumprod.to(timesteps.device)[timesteps]
    return alpha_bar / (1 - alpha_bar)


def min_snr_weights(snr_values: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """Return the loss weights (B,) of min-SNR-gamma: min(snr, gamma) over snr, or over snr + 1 for v_prediction."""
    return snr_values.clamp(max=gamma) / (snr_values + (prediction_type == "v_prediction"))


def target_of(
    noise_scheduler: DDPMScheduler, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
) -> torch.Tensor:
    """Return what the denoiser shall predict, the shape of `noise`.

    Raises:
        ValueError: the base's prediction type is neither epsilon nor v_prediction.
    """
    prediction_type = noise_scheduler.config["prediction_type"]
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "v_prediction":
        return noise_scheduler.get_velocity(latents, noise, timesteps)  # type: ignore[arg-type]  # int64 is taken
    raise ValueError(f"base.model: its prediction type is {prediction_type!r}; use epsilon or v_prediction")


def area_weights(masks: torch.Tensor, background_weight: float) -> torch.Tensor:
    """Return what the error of each latent counts, the shape of `masks`: on the subject more than outside of it.

    A sample's mean is 1, whatever share of it the subject fills, so that a learning rate means the same. In a crop that
    shows next to nothing of the subject it is lower: a few latents must not count for a whole picture.

    Args:
        masks: (B, 1, h, w), 1 where the subject is and 0 where it is not.
        background_weight: of what is outside, 0 to 1.
    """
    weights = background_weight + (1 - background_weight) * masks
    return weights / weights.mean(dim=(1, 2, 3), keepdim=True).clamp(min=LEAST_SEEN)


def squared_errors(noise_pred: torch.Tensor, target: torch.Tensor, areas: torch.Tensor | None = None) -> torch.Tensor:
    """Return the mean squared error of each sample in float32, shape (B,); `areas` are those of area_weights."""
    errors = (noise_pred.float() - target.float()).square()
    return (errors if areas is None else errors * areas).flatten(1).mean(dim=1)


def loss_weights(noise_scheduler: DDPMScheduler, timesteps: torch.Tensor, weighting: str, gamma: float) -> torch.Tensor:
    """Return (B,) weights of the samples' errors.

    Args:
        weighting: "none" (all 1), or "min_snr" with `gamma`.
    """
    if weighting == "none":
        return torch.ones(len(timesteps), device=timesteps.device)
    ratio = snr(noise_scheduler.alphas_cumprod, timesteps)
    return min_snr_weights(ratio, gamma, noise_scheduler.config["prediction_type"])


class ObjectiveConfig(Protocol):
    """What the objective reads of params.yaml's train block."""

    min_snr_gamma: float
    background_weight: float

    @property
    def loss_weighting(self) -> str: ...


@dataclass(frozen=True)
class Objective:
    """What the denoiser is asked, and what its answers cost."""

    unet: UNet2DConditionModel
    noise_scheduler: DDPMScheduler
    config: ObjectiveConfig

    def of_photos(self, batch: Batch, masks: torch.Tensor | None) -> DenoiserBatch:
        """Return what is asked of a Batch; masks are (B, 1, h, w), None where all of a photo counts alike."""
        latents, noise, timesteps = batch.latents, batch.noise, batch.timesteps
        noisy_latents = self.noise_scheduler.add_noise(latents, noise, timesteps)  # type: ignore[arg-type]
        target = target_of(self.noise_scheduler, latents, noise, timesteps)
        whole = torch.ones_like(noise[:, :1])
        areas = whole if masks is None else area_weights(masks, self.config.background_weight)
        return DenoiserBatch(noisy_latents, timesteps, batch.prompt_embeds, target, self._weights(timesteps), areas)

    def of_predictions(self, batch: PriorBatch) -> DenoiserBatch:
        """Return what is asked of a PriorBatch: the base's own predictions, weighted as the noise of photos."""
        noisy_latents, timesteps, noise_pred = batch.noisy_latents, batch.timesteps, batch.noise_pred
        areas = torch.ones_like(noise_pred[:, :1])
        return DenoiserBatch(noisy_latents, timesteps, batch.prompt_embeds, noise_pred, self._weights(timesteps), areas)

    def loss(self, batch: DenoiserBatch) -> torch.Tensor:
        """Return the sum of the samples' errors, each by its weight."""
        noise_pred = self.noise_pred(batch.noisy_latents, batch.timesteps, batch.prompt_embeds)
        return (squared_errors(noise_pred, batch.target, batch.areas) * batch.weights).sum()

    def noise_pred(
        self, noisy_latents: torch.Tensor, timesteps: torch.Tensor, prompt_embeds: torch.Tensor
    ) -> torch.Tensor:
        """Return the denoiser's answer in the dtype of its frozen weights.

        Without autocast, which on a GPU keeps what norms read in float32, a quarter of all that backward needs.
        """
        return self.unet(noisy_latents.to(self.dtype), timesteps, prompt_embeds.to(self.dtype)).sample

    @cached_property
    def dtype(self) -> torch.dtype:
        """Of the frozen weights; to find it diffusers walks through all modules."""
        return self.unet.dtype

    def _weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        return loss_weights(self.noise_scheduler, timesteps, self.config.loss_weighting, self.config.min_snr_gamma)
