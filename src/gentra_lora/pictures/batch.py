"""Pictures on their way from noise, side by side, one step at a time; each as if it were alone."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers.models import UNet2DConditionModel
from diffusers.utils.torch_utils import randn_tensor

from gentra_lora.adapter.rows import RowAdapter
from gentra_lora.base.samplers import Scheduler, keep_rows, make_sampler
from gentra_lora.pictures.masks import KeptLatents, with_contents
from gentra_lora.pictures.request import PictureRequest
from gentra_lora.pictures.sampling_pipeline import generators


class PictureBatch:
    """A batch of one shape, sampler and number of steps; prompts, seeds, strengths of adapter and guidance may differ.

    Between two steps the caller may look, leave pictures out, or give up.
    """

    @torch.no_grad()
    def __init__(
        self,
        unet: UNet2DConditionModel,
        adapter: RowAdapter,
        config: Mapping[str, Any],
        requests: Sequence[PictureRequest],
        embeds: torch.Tensor,
        negative_embeds: torch.Tensor | None,
        photos: torch.Tensor | tuple[int, ...],
        changing: torch.Tensor | None = None,
    ) -> None:
        """Draw the noise.

        Args:
            adapter: the denoiser's.
            config: of the base's noise schedule.
            requests: N of one `batch_key`.
            embeds, negative_embeds: (N, 77, D) in the denoiser's dtype; the latter None without guidance.
            photos: scaled latents (N, 4, H/f, W/f) to start from, or their shape where there is no photo.
            changing: which of them may, bool (N, 1, H/f, W/f); None where all may.
        """
        first = requests[0]
        self.unet, self.adapter, self.requests = unet, adapter, list(requests)
        self.embeds, self.negative_embeds = embeds, negative_embeds
        self.guidance = torch.tensor([r.guidance_scale for r in requests], device=embeds.device).view(-1, 1, 1, 1)
        self.scheduler = make_sampler(first.sampler, config)
        self.scheduler.set_timesteps(first.num_inference_steps, device=embeds.device)
        self.generators = generators([request.seed for request in requests])
        self.timesteps = self.scheduler.timesteps[-first.steps_run :]
        self.taken = 0
        self.guess: torch.Tensor | None = None  # (N, 4, h, w)
        self.kept: KeptLatents | None = None
        self.latents = self._start(photos, changing, embeds.dtype, embeds.device)
        takes = inspect.signature(self.scheduler.step).parameters
        self._options = {"generator": self.generators} if "generator" in takes else {}

    def _start(
        self,
        photos: torch.Tensor | tuple[int, ...],
        changing: torch.Tensor | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> torch.Tensor:
        shape = photos.shape if isinstance(photos, torch.Tensor) else photos
        noise = randn_tensor(tuple(shape), generator=self.generators, device=device, dtype=dtype)
        if not isinstance(photos, torch.Tensor):
            return noise * self.scheduler.init_noise_sigma
        if hasattr(self.scheduler, "set_begin_index"):  # DDIM keeps no place
            self.scheduler.set_begin_index(len(self.scheduler.timesteps) - len(self.timesteps))
        if changing is not None:
            self.kept = KeptLatents(photos, noise, changing)
            photos = with_contents(photos, noise, changing, [request.mask_content for request in self.requests])
        timesteps = self.timesteps[:1].repeat(len(noise))
        return self.scheduler.add_noise(photos, noise, timesteps)  # type: ignore[arg-type]  # int64 is taken

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.taken == len(self.timesteps)

    @torch.no_grad()
    def step(self) -> None:
        """Take one step with all pictures."""
        timestep = self.timesteps[self.taken]
        # What DDIM names int may be a tensor, and one generator a list of them.
        scaled = self.scheduler.scale_model_input(self.latents, timestep)  # type: ignore[arg-type]  # (N, 4, h, w)
        noise_pred = self._noise_pred(scaled, timestep)
        self.guess = _clean(scaled, noise_pred, timestep, self.scheduler)
        step = self.scheduler.step
        taken = step(noise_pred, timestep, self.latents, return_dict=False, **self._options)  # type: ignore[arg-type]
        self.latents = taken[0].to(self.latents.dtype)
        self.taken += 1
        if self.kept is not None:
            following = self.timesteps[self.taken : self.taken + 1]
            self.latents = self.kept.put_back(self.latents, self.scheduler, following)
            self.guess = self.kept.put_back(self.guess, self.scheduler, following[:0])

    def _noise_pred(self, scaled: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        scales = [request.lora_scale for request in self.requests]
        if self.negative_embeds is None:
            self.adapter.set_scales(scales)
            return self.unet(scaled, timestep, encoder_hidden_states=self.embeds, return_dict=False)[0]
        self.adapter.set_scales(scales * 2)
        embeds = torch.cat([self.negative_embeds, self.embeds])
        both = self.unet(torch.cat([scaled] * 2), timestep, encoder_hidden_states=embeds, return_dict=False)[0]
        negative, positive = both.chunk(2)
        return (negative + self.guidance * (positive - negative)).to(both.dtype)

    def keep(self, rows: list[int]) -> None:
        """Leave out all pictures but those of `rows`, their places."""
        self.requests = [self.requests[row] for row in rows]
        self.generators[:] = [self.generators[row] for row in rows]
        self.latents, self.embeds, self.guidance = self.latents[rows], self.embeds[rows], self.guidance[rows]
        self.guess = None if self.guess is None else self.guess[rows]
        self.kept = None if self.kept is None else self.kept.of(rows)
        if self.negative_embeds is not None:
            self.negative_embeds = self.negative_embeds[rows]
        keep_rows(self.scheduler, rows)


def _clean(
    scaled: torch.Tensor, noise_pred: torch.Tensor, timestep: torch.Tensor, scheduler: Scheduler
) -> torch.Tensor:
    """Return the latents that the last prediction is heading for, (N, 4, h, w): what a preview shows.

    `scaled` is what the denoiser saw, sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise, whatever the sampler works on.
    """
    alpha_bar = scheduler.alphas_cumprod[int(timestep.round())].to(scaled.device, torch.float32)
    x, predicted = scaled.float(), noise_pred.float()
    if scheduler.config["prediction_type"] == "v_prediction":
        return alpha_bar.sqrt() * x - (1 - alpha_bar).sqrt() * predicted
    return (x - (1 - alpha_bar).sqrt() * predicted) / alpha_bar.sqrt()
