"""Base + adapter -> pictures; used by evaluate and by the command line."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline
from PIL import Image, PngImagePlugin

from gentra_lora.adapter import NAME, read_adapter
from gentra_lora.base_model import load_pipeline
from gentra_lora.errors import InputError
from gentra_lora.photo import centre_crop, sha256_of


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
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    try:
        pipeline.load_lora_weights(tensors, adapter_name=NAME)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
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


def generators(seeds):
    """Return one CPU generator a picture: a batch then holds the very pictures that each seed alone gives."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def generate(pipeline, prompts, seeds, settings, batch_size=8):
    """Return a picture for each pair of prompt and seed, uint8 (N, R, R, 3).

    Raises:
        GenerationError: a picture is not finite; diffusers alone would save it as black.
    """
    pictures = []
    for start in range(0, len(prompts), batch_size):
        chunk = slice(start, start + batch_size)
        images = pipeline(
            prompts[chunk],
            generator=generators(seeds[chunk]),
            height=settings.resolution,
            width=settings.resolution,
            num_inference_steps=settings.num_inference_steps,
            guidance_scale=settings.guidance_scale,
            output_type="pt",
        ).images
        pictures.append(_to_uint8(images, prompts[chunk], seeds[chunk]))
    return np.concatenate(pictures)


def img2img(pipeline, photo, prompt, seed, strength, settings):
    """Return a picture (R, R, 3), uint8, that starts from a photo (an RGB image, cropped to its centre).

    `strength` in (0, 1] is the share of the noise schedule that is redone: 0.3 keeps the photo, 1 forgets it.
    """
    again = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    again.set_progress_bar_config(disable=True)
    images = again(
        prompt,
        image=centre_crop(photo, settings.resolution),
        strength=strength,
        generator=generators([seed]),
        # The pipeline runs strength x steps of them; ask for enough to have all the steps that were wanted.
        num_inference_steps=max(1, round(settings.num_inference_steps / strength)),
        guidance_scale=settings.guidance_scale,
        output_type="pt",
    ).images
    return _to_uint8(images, [prompt], [seed])[0]


def _to_uint8(images, prompts, seeds):
    for image, prompt, seed in zip(images, prompts, seeds, strict=True):
        if not image.isfinite().all():
            raise GenerationError(f"prompt {prompt!r}, seed {seed}: the picture is not finite; try another dtype")
    return (images.float() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def save_png(path, picture, *, adapter_path, base, prompt, seed, scale, settings, **more):
    """Write a picture with everything needed to make it again in its `gentra` text."""
    record = {"prompt": prompt, "seed": seed, "scale": scale, **asdict(settings), **more}
    record |= {"base": base, "adapter_sha256": sha256_of(adapter_path)}
    text = PngImagePlugin.PngInfo()
    text.add_itxt("gentra", json.dumps(record, ensure_ascii=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, pnginfo=text)
