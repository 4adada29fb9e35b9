"""Prompts and seeds -> pictures, with whatever denoiser there is: the base, or one with an adapter in training."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers.models import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from transformers import CLIPTokenizer

from gentra_lora.base.model import load_pipeline
from gentra_lora.base.sampler_names import DEFAULT
from gentra_lora.base.samplers import make_sampler
from gentra_lora.base.source import BaseSource
from gentra_lora.errors import InputError
from gentra_lora.photos.captions import lost_words

BATCH_PIXELS, MOST_PICTURES = 1_200_000, 16  # two pictures at once at 768 px, which fits 16 GB


class GenerationError(InputError):
    """No usable picture came out; the message says for which prompt and seed."""


@dataclass(frozen=True)
class Settings:
    """What shapes a picture besides prompt and seed."""

    resolution: int
    num_inference_steps: int
    guidance_scale: float


def load_sampler(
    source: BaseSource, dtype: torch.dtype, device: torch.device, unet: UNet2DConditionModel | None = None
) -> StableDiffusionPipeline:
    """Return a pipeline of the base, or of its other parts around `unet`, with DPM-Solver++ as its sampler.

    Lu et al. 2022, arXiv 2211.01095: 20 to 25 steps give what DDIM needs 50 for.
    """
    pipeline = load_pipeline(source, dtype, device, unet)
    pipeline.scheduler = make_sampler(DEFAULT, pipeline.scheduler.config)
    return pipeline


def check_prompts(tokenizer: CLIPTokenizer, prompts: Iterable[str]) -> None:
    """Refuse prompts whose end the text encoder would never see.

    Raises:
        GenerationError: names the prompt and the words that are lost.
    """
    for prompt in prompts:
        lost = lost_words(prompt, tokenizer)
        if lost:
            raise GenerationError(f"prompt {prompt!r}: the text encoder would not see {lost!r}; shorten it")


def pictures_at_once(resolution: int) -> int:
    """Return how many pictures of a side are drawn at once; with guidance the denoiser sees twice as many samples."""
    return max(1, min(MOST_PICTURES, BATCH_PIXELS // resolution**2))


def generators(seeds: Iterable[int]) -> list[torch.Generator]:
    """Return one CPU generator a picture: a batch then holds what each seed alone gives, but for the last digits."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def generate(pipeline: StableDiffusionPipeline, prompts: list[str], seeds: list[int], settings: Settings) -> np.ndarray:
    """Return a picture for each pair of prompt and seed, uint8 (N, R, R, 3).

    Raises:
        GenerationError: a prompt is too long for the text encoder, or a picture is not finite, which diffusers alone
            would save as black.
    """
    pictures: list[np.ndarray] = []
    for chunk, latents in generate_latents(pipeline, prompts, seeds, settings):
        pictures += decode(pipeline.vae, latents, prompts[chunk], seeds[chunk])
    return np.stack(pictures)


def generate_latents(
    pipeline: StableDiffusionPipeline, prompts: list[str], seeds: list[int], settings: Settings
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield (slice of the prompts, their scaled latents (n, 4, R/f, R/f)), as many at once as memory allows.

    Raises:
        GenerationError: a prompt is too long for the text encoder.
    """
    check_prompts(pipeline.tokenizer, prompts)
    batch_size = pictures_at_once(settings.resolution)
    for start in range(0, len(prompts), batch_size):
        chunk = slice(start, start + batch_size)
        latents = pipeline(
            prompts[chunk],
            generator=generators(seeds[chunk]),
            height=settings.resolution,
            width=settings.resolution,
            num_inference_steps=settings.num_inference_steps,
            guidance_scale=settings.guidance_scale,
            output_type="latent",
        ).images
        yield chunk, latents


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: torch.Tensor, prompts: Sequence[str], seeds: Sequence[int]) -> list[np.ndarray]:
    """Return pictures, uint8 (R, R, 3) each, of scaled latents (N, 4, R/f, R/f), one at a time to save memory.

    Raises:
        GenerationError: a picture is not finite.
    """
    pictures = []
    for row, prompt, seed in zip(latents, prompts, seeds, strict=True):
        pixels = vae.decode(row[None].float() / vae.config["scaling_factor"]).sample[0]
        if not pixels.isfinite().all():
            raise GenerationError(f"prompt {prompt!r}, seed {seed}: the picture is not finite; try another seed")
        pixels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        pictures.append(pixels.permute(1, 2, 0).cpu().numpy())
    return pictures
