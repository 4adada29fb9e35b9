"""What the base itself draws of other members of the subject's class, as latents, drawn once and cached.

Ruiz et al. 2022, arXiv 2208.12242, train on such pictures so that the class stays what it was.
"""

from dataclasses import astuple, dataclass
from functools import cached_property

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.latents.cache import LatentCache, key_of
from gentra_lora.latents.posteriors import encode_prompt, token_ids
from gentra_lora.pictures.sampling_pipeline import Settings, generate_latents, load_sampler, pictures_at_once

NUM_INFERENCE_STEPS = 20  # of DPM-Solver++, for each picture


@dataclass
class ClassPictures:
    """Draws what is not in the cache yet; the base is loaded for the first of them."""

    cache: LatentCache
    source: BaseSource
    dtype: torch.dtype
    device: torch.device
    settings: Settings
    drawn: int = 0

    def add(self, prompts: list[str], seeds: list[int]) -> list[str]:
        """Make sure that the files of pictures that are drawn at once are there; return their keys.

        A file holds what a photo's file does. Its key names all pictures that were drawn with it: with others its last
        digits would be different ones.

        Raises:
            ValueError: these are more than `pictures_at_once`.
        """
        if len(prompts) > pictures_at_once(self.settings.resolution):
            raise ValueError(f"{len(prompts)} pictures of {self.settings.resolution} px are not drawn at once")
        ids = [token_ids(self.cache.tokenizer, prompt) for prompt in prompts]
        together = key_of("class", *self.made_by, *astuple(self.settings), ids, seeds)
        keys = [f"class-{key_of(together, n)}" for n in range(len(prompts))]
        missing = {n for n, key in enumerate(keys) if not self.cache.holds(key)}
        if missing:
            ((_, latents),) = generate_latents(self.base, prompts, seeds, self.settings)
            mean = latents.float().cpu() / self.cache.vae.config["scaling_factor"]  # (N, 4, R/f, R/f)
            for n in missing:
                one, prompt_embeds = mean[n : n + 1].clone(), encode_prompt(self.cache.text_encoder, ids[n])
                self.cache.write(keys[n], {"mean": one, "std": torch.zeros_like(one)}, prompt_embeds)
            self.drawn += len(missing)
        return keys

    @cached_property
    def made_by(self) -> tuple[str, str]:
        """The base and the dtype that it computes in."""
        return base_identity(self.source), str(self.dtype)

    @cached_property
    def base(self) -> StableDiffusionPipeline:
        """The base's own denoiser and sampler, loaded when they are needed."""
        return load_sampler(self.source, self.dtype, self.device)
