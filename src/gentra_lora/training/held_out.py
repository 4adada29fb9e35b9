"""The held-out loss: fixed noise and timesteps on photos that are never trained on. The ruler between runs."""

from collections.abc import Iterator, Sequence

import torch
from diffusers.models import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from gentra_lora.latents.cached_photos import CachedPhotos
from gentra_lora.training.denoising import squared_errors, target_of
from gentra_lora.training.sampling import generator_for

TIMESTEPS = 9  # a photo; one in the middle of each ninth of the schedule
BANDS = ("low_noise", "mid_noise", "high_noise")  # thirds of the timesteps: detail, parts, layout
BATCH = 8


@torch.no_grad()
def held_out_errors(
    unet: UNet2DConditionModel, noise_scheduler: DDPMScheduler, photos: CachedPhotos, scaling_factor: float
) -> torch.Tensor:
    """Return the squared error of each photo at each timestep, float32 (N, TIMESTEPS), unweighted.

    The centre crop's posterior mean is noised by a generator seeded with the photo's content and the timestep, so that
    neither other photos nor the training's random state can change a value. `unet` keeps its train or eval mode.
    """
    device, was_training = next(unet.parameters()).device, unet.training
    dtype = unet.dtype  # once: to find it diffusers walks through all modules
    unet.eval()
    steps = held_out_timesteps(noise_scheduler)
    errors = torch.empty(len(photos), TIMESTEPS)
    for chunk in _batches(photos.shapes):
        index, column = torch.tensor(chunk).unbind(1)
        timesteps = steps[column].to(device)
        read = [photos.read(n, 0) for n, _ in chunk]
        mean, _, prompt_embeds = (torch.stack(parts) for parts in zip(*read, strict=True))
        latents = mean * scaling_factor
        noise = torch.stack(
            [
                torch.randn(latents.shape[1:], generator=generator_for(photos.digests[n], t))
                for (n, _), t in zip(chunk, timesteps.tolist(), strict=True)
            ]
        )
        latents, noise = latents.to(device), noise.to(device)
        noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)  # type: ignore[arg-type]  # int64 is taken
        prompt_embeds = prompt_embeds.to(device, dtype)
        noise_pred = unet(noisy_latents.to(dtype), timesteps, prompt_embeds).sample
        errors[index, column] = squared_errors(noise_pred, target_of(noise_scheduler, latents, noise, timesteps)).cpu()
    unet.train(was_training)
    return errors


def held_out_timesteps(noise_scheduler: DDPMScheduler) -> torch.Tensor:
    """Return the timesteps of the columns of held-out errors, int64 (TIMESTEPS,)."""
    return ((torch.arange(TIMESTEPS) + 0.5) / TIMESTEPS * noise_scheduler.config["num_train_timesteps"]).long()


def banded(errors: torch.Tensor) -> dict[str, float]:
    """Return {"whole": mean, and the mean of each of BANDS} of held-out errors (N, TIMESTEPS)."""
    thirds = errors.mean(dim=0).reshape(len(BANDS), -1).mean(dim=1).tolist()
    return {"whole": float(errors.mean())} | dict(zip(BANDS, thirds, strict=True))


def _batches(shapes: Sequence[tuple[int, int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield lists of at most BATCH (photo, column) pairs; photos of different shapes are never in one."""
    for shape in dict.fromkeys(shapes):
        pairs = [(n, column) for n, other in enumerate(shapes) if other == shape for column in range(TIMESTEPS)]
        yield from (pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH))
