"""Prior preservation: what the base itself draws for the class noun, as latents, drawn once and cached.

Ruiz et al. 2022, arXiv 2208.12242: training on them beside the photos keeps other members of the class as they were.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cached_property

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.latents.cache import LatentCache, key_of
from gentra_lora.latents.posteriors import token_ids
from gentra_lora.photos.captions import without_trigger
from gentra_lora.pictures.sampling_pipeline import Settings, generate_latents, load_sampler


def class_captions(captions: Iterable[str], trigger_word: str, class_noun: str, count: int) -> list[str]:
    """Return `count` captions: the photos' in turn, with the class noun for the trigger word."""
    plain = [without_trigger(caption, trigger_word, class_noun) for caption in captions]
    return [plain[n % len(plain)] for n in range(count)]


@dataclass
class ClassPictures:
    """Draws what is not in the cache yet; the base is loaded for the first of them."""

    cache: LatentCache
    source: BaseSource
    dtype: torch.dtype
    device: torch.device
    settings: Settings
    drawn: int = 0

    def add(self, caption: str, seed: int) -> str:
        """Make sure that a picture's file is there; return its key. The file holds what a photo's file does."""
        ids = token_ids(self.cache.tokenizer, caption)
        key = f"class-{key_of('class', *self._made_by, ids, seed)}"
        if not self.cache.holds(key):
            ((_, latents),) = generate_latents(self._sampler, [caption], [seed], self.settings)
            mean = latents.float().cpu() / self.cache.vae.config["scaling_factor"]  # (1, 4, R/f, R/f)
            self.cache.write(key, {"mean": mean, "std": torch.zeros_like(mean)}, ids)
            self.drawn += 1
        return key

    @cached_property
    def _made_by(self) -> tuple[str, str, tuple[float, ...]]:
        return base_identity(self.source), str(self.dtype), astuple(self.settings)

    @cached_property
    def _sampler(self) -> StableDiffusionPipeline:
        return load_sampler(self.source, self.dtype, self.device)
