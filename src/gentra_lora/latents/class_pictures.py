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
from gentra_lora.pictures.sampling_pipeline import Settings, generate_latents, load_sampler

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

    def add(self, prompt: str, seed: int) -> str:
        """Make sure that a picture's file is there; return its key. The file holds what a photo's file does."""
        ids = token_ids(self.cache.tokenizer, prompt)
        key = f"class-{key_of('class', *self.made_by, *astuple(self.settings), ids, seed)}"
        if not self.cache.holds(key):
            ((_, latents),) = generate_latents(self.base, [prompt], [seed], self.settings)
            mean = latents.float().cpu() / self.cache.vae.config["scaling_factor"]  # (1, 4, R/f, R/f)
            prompt_embeds = encode_prompt(self.cache.text_encoder, ids)
            self.cache.write(key, {"mean": mean, "std": torch.zeros_like(mean)}, prompt_embeds)
            self.drawn += 1
        return key

    @cached_property
    def made_by(self) -> tuple[str, str]:
        """The base and the dtype that it computes in."""
        return base_identity(self.source), str(self.dtype)

    @cached_property
    def base(self) -> StableDiffusionPipeline:
        """The base's own denoiser and sampler, loaded when they are needed."""
        return load_sampler(self.source, self.dtype, self.device)
