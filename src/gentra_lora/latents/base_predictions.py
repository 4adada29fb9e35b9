"""What the frozen base predicts for noisy latents and captions, once and cached: what an adapter must not change.

The target of prior preservation. Class pictures with their noise as target (Ruiz et al. 2022, arXiv 2208.12242) ask
for what the base does not know either; its own prediction asks for nothing but that it stays, so that a small weight
does. Known as prior prediction and as differential output preservation.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from safetensors import safe_open
from safetensors.torch import load_file

from gentra_lora.latents.cache import key_of
from gentra_lora.latents.cached_photos import opened, read_index
from gentra_lora.latents.class_pictures import ClassPictures
from gentra_lora.latents.posteriors import LatentsError, encode_prompt, token_ids
from gentra_lora.pictures.sampling_pipeline import pictures_at_once


@dataclass
class BasePredictions:
    """Computes what is not in the cache yet: `draws` predictions a picture, at noise and timesteps of its own."""

    pictures: ClassPictures  # their base, and the cache
    noise_scheduler: DDPMScheduler
    draws: int
    computed: int = 0  # files

    def add(self, latents_key: str, prompt: str) -> str:
        """Make sure that the predictions for a picture's latents under a prompt are there; return their file's key.

        The file holds `noisy_latents` and `noise_pred`, (draws, 4, H/f, W/f) each in the base's dtype, `timesteps`,
        int64 (draws,), one of each equal band of the schedule, and `prompt_embeds` (L, D). Draw n is of the latents'
        crop n, in turn.

        Raises:
            LatentsError: a prediction is not finite.
        """
        cache = self.pictures.cache
        ids = token_ids(cache.tokenizer, prompt)
        schedule = dict(self.noise_scheduler.config)["prediction_type"], self.noise_scheduler.alphas_cumprod.tolist()
        content = latents_key.split("-")[:2]  # a mask beside them changes no prediction
        key = f"prior-{key_of('prior', *self.pictures.made_by, content, ids, self.draws, self.at_once, *schedule)}"
        if not cache.holds(key):
            mean = load_file(cache.folder / f"{latents_key}.safetensors")["mean"]
            generator = torch.Generator().manual_seed(int(key[-15:], 16))
            prompt_embeds = encode_prompt(cache.text_encoder, ids)
            cache.write(key, self._predicted(mean, prompt_embeds, generator, prompt), prompt_embeds)
            self.computed += 1
        return key

    @property
    def at_once(self) -> int:
        """How many samples the denoiser sees at once: as many as when it draws; the last digits depend on it."""
        return 2 * pictures_at_once(self.pictures.settings.resolution)

    @torch.no_grad()
    def _predicted(
        self, mean: torch.Tensor, prompt_embeds: torch.Tensor, generator: torch.Generator, prompt: str
    ) -> dict[str, torch.Tensor]:
        unet, scheduler, cache = self.pictures.base.unet, self.noise_scheduler, self.pictures.cache
        crops = torch.arange(self.draws) % len(mean)
        latents = mean[crops] * cache.vae.config["scaling_factor"]
        within = torch.rand(self.draws, generator=generator)
        steps = scheduler.config["num_train_timesteps"]
        timesteps = ((torch.arange(self.draws) + within) / self.draws * steps).long().clamp(max=steps - 1)
        noise = torch.randn(latents.shape, generator=generator)
        noisy_latents = scheduler.add_noise(latents, noise, timesteps).to(unet.dtype)
        predictions = []
        for chunk in torch.arange(self.draws).split(self.at_once):
            embeds = prompt_embeds.to(unet.device, unet.dtype).expand(len(chunk), -1, -1)
            noisy = noisy_latents[chunk].to(unet.device)
            predictions.append(unet(noisy, timesteps[chunk].to(unet.device), embeds).sample.cpu())
        noise_pred = torch.cat(predictions)
        if not noise_pred.isfinite().all():
            raise LatentsError(f"prompt {prompt!r}: the base predicts values that are not finite; try another base")
        return {"noisy_latents": noisy_latents, "timesteps": timesteps, "noise_pred": noise_pred.contiguous()}


@dataclass(frozen=True)
class CachedPredictions:
    """The base's predictions of a latents folder, read from the files in the step that needs them."""

    files: list[Path]
    shapes: list[tuple[int, int, int]]  # (4, H/f, W/f) of each file's latents: its bucket
    draws: int

    def read(self, n: int, draw: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return noisy_latents (4, H/f, W/f), the timestep (), noise_pred (4, H/f, W/f) and prompt_embeds (L, D)."""
        with safe_open(self.files[n], "pt") as file:
            noisy_latents, timestep, noise_pred = (
                file.get_slice(name)[draw : draw + 1][0] for name in ("noisy_latents", "timesteps", "noise_pred")
            )
            return noisy_latents.float(), timestep, noise_pred.float(), file.get_tensor("prompt_embeds")


def load_predictions(folder: Path) -> CachedPredictions:
    """Return the CachedPredictions of a latents folder.

    Raises:
        LatentsError: the folder holds none, or one of them cannot be read.
    """
    keys = read_index(folder).get("base_predictions", [])
    if not keys:
        raise LatentsError(f"{folder}: holds no predictions of the base; run `dvc repro cache_latents`")
    files, shapes = [folder / f"{key}.safetensors" for key in keys], []
    for path in files:
        with opened(path) as file:
            shapes.append(cast(tuple[int, int, int, int], tuple(file.get_slice("noise_pred").get_shape())))
    return CachedPredictions(files, [shape[1:] for shape in shapes], shapes[0][0])
