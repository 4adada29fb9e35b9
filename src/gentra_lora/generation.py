"""Base + adapter -> pictures; used by evaluate and by the command line."""

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline
from PIL import Image, PngImagePlugin

from gentra_lora.adapter import NAME, read_adapter
from gentra_lora.base_model import load_pipeline
from gentra_lora.captions import lost_words
from gentra_lora.crops import centre_crop
from gentra_lora.errors import InputError, first_line
from gentra_lora.photo import sha256_of, to_pixel_values

BATCH_PIXELS, MOST_PICTURES = 1_200_000, 16  # two pictures at once at 768 px, which fits 16 GB


class GenerationError(InputError):
    """No usable picture came out; the message says for which prompt and seed."""


@dataclass(frozen=True)
class Settings:
    """What shapes a picture besides prompt and seed."""

    resolution: int
    num_inference_steps: int
    guidance_scale: float


def load_generator(source, adapter_path, dtype, device):
    """Return a pipeline with the adapter of a file loaded under NAME, and DPM-Solver++ as its sampler.

    Lu et al. 2022, arXiv 2211.01095: 20 to 25 steps give what DDIM needs 50 for.

    Raises:
        AdapterError: the file is no adapter in our layout.
        GenerationError: the adapter belongs to another base: its keys do not match.
    """
    tensors, _ = read_adapter(adapter_path)
    pipeline = load_pipeline(source, dtype, device)
    # "trailing" starts at pure noise; what bases say of themselves differs, and some would start below it.
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    try:
        pipeline.load_lora_weights(tensors, adapter_name=NAME)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = first_line(error)
        raise GenerationError(f"{adapter_path}: does not fit the base {source.model}: {reason}") from error
    expected = sum(key.endswith(".alpha") for key in tensors)
    loaded = sum(hasattr(module, "lora_A") for module in pipeline.unet.modules())
    if loaded != expected:
        raise GenerationError(f"{adapter_path}: {loaded} of its {expected} modules were found in {source.model}")
    return pipeline


def set_adapter_scale(pipeline, scale):
    """Set the adapter's strength: 0 is the base itself, 1 as trained."""
    if scale == 0:
        pipeline.disable_lora()
    else:
        pipeline.enable_lora()
        pipeline.set_adapters(NAME, scale)


def check_prompts(tokenizer, prompts):
    """Refuse prompts whose end the text encoder would never see.

    Raises:
        GenerationError: names the prompt and the words that are lost.
    """
    for prompt in prompts:
        lost = lost_words(prompt, tokenizer)
        if lost:
            raise GenerationError(f"prompt {prompt!r}: the text encoder would not see {lost!r}; shorten it")


def generators(seeds):
    """Return one CPU generator a picture: a batch then holds the very pictures that each seed alone gives."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def generate(pipeline, prompts, seeds, settings):
    """Return a picture for each pair of prompt and seed, uint8 (N, R, R, 3).

    Raises:
        GenerationError: a prompt is too long for the text encoder, or a picture is not finite, which diffusers alone
            would save as black.
    """
    check_prompts(pipeline.tokenizer, prompts)
    batch_size = max(1, min(MOST_PICTURES, BATCH_PIXELS // settings.resolution**2))
    pictures = []
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
        pictures += decode(pipeline.vae, latents, prompts[chunk], seeds[chunk])
    return np.stack(pictures)


def img2img(pipeline, photo, prompt, seed, strength, settings):
    """Return a picture (R, R, 3), uint8, that starts from a photo (an RGB image, cropped to its centre).

    `strength` in (0, 1] is the share of the noise schedule that is redone: 0.3 keeps the photo, 1 forgets it.
    """
    check_prompts(pipeline.tokenizer, [prompt])
    # The pipeline runs strength x steps of them; ask for enough to have all the steps that were wanted.
    steps, most = math.ceil(settings.num_inference_steps / strength), pipeline.scheduler.config.num_train_timesteps
    if steps > most:
        raise GenerationError(
            f"strength {strength:g} with {settings.num_inference_steps} steps needs a schedule of {steps} steps, and "
            f"there are {most}; raise the strength or lower the steps"
        )
    again = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    again.set_progress_bar_config(disable=True)
    latents = again(
        prompt,
        image=encode(pipeline.vae, centre_crop(photo, settings.resolution)),
        strength=strength,
        generator=generators([seed]),
        num_inference_steps=steps,
        guidance_scale=settings.guidance_scale,
        output_type="latent",
    ).images
    return decode(pipeline.vae, latents, [prompt], [seed])[0]


@torch.no_grad()
def encode(vae, image):
    """Return an RGB image as scaled latents (1, 4, R/f, R/f): the posterior's mean, in the VAE's own float32."""
    return vae.encode(to_pixel_values(image).to(vae.device)).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def decode(vae, latents, prompts, seeds):
    """Return pictures, uint8 (R, R, 3) each, of scaled latents (N, 4, R/f, R/f), one at a time to save memory.

    Raises:
        GenerationError: a picture is not finite.
    """
    pictures = []
    for row, prompt, seed in zip(latents, prompts, seeds, strict=True):
        pixels = vae.decode(row[None].float() / vae.config.scaling_factor).sample[0]
        if not pixels.isfinite().all():
            raise GenerationError(f"prompt {prompt!r}, seed {seed}: the picture is not finite; try another seed")
        pixels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        pictures.append(pixels.permute(1, 2, 0).cpu().numpy())
    return pictures


def save_png(path, picture, *, adapter_path, base, prompt, seed, scale, settings, **more):
    """Write a picture with everything needed to make it again in its `gentra` text."""
    record = {"prompt": prompt, "seed": seed, "scale": scale, **asdict(settings), **more}
    record |= {"base": base, "adapter_sha256": sha256_of(adapter_path)}
    text = PngImagePlugin.PngInfo()
    text.add_itxt("gentra", json.dumps(record, ensure_ascii=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, pnginfo=text)
