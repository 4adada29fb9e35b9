"""The denoising objective: target, weights, loss. No randomness, no files."""

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler


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


def squared_errors(noise_pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each sample in float32, shape (B,)."""
    return (noise_pred.float() - target.float()).square().flatten(1).mean(dim=1)


def denoising_loss(noise_pred: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of the samples' squared errors, a scalar; weights (B,)."""
    return (squared_errors(noise_pred, target) * weights).mean()


def loss_weights(noise_scheduler: DDPMScheduler, timesteps: torch.Tensor, weighting: str, gamma: float) -> torch.Tensor:
    """Return (B,) weights of the samples' errors.

    Args:
        weighting: "none" (all 1), or "min_snr" with `gamma`.
    """
    if weighting == "none":
        return torch.ones(len(timesteps), device=timesteps.device)
    ratio = snr(noise_scheduler.alphas_cumprod, timesteps)
    return min_snr_weights(ratio, gamma, noise_scheduler.config["prediction_type"])
