"""The base with a trained adapter -> pictures; used by evaluate and by the command line."""

import json
import math
from dataclasses import asdict

import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image, PngImagePlugin

from gentra_lora.adapter import NAME
from gentra_lora.adapter_file import read_adapter
from gentra_lora.crops import centre_crop
from gentra_lora.errors import first_line
from gentra_lora.photo import sha256_of, to_pixel_values
from gentra_lora.pictures import GenerationError, check_prompts, decode, generators, load_sampler


def load_generator(source, adapter_path, dtype, device):
    """Return a pipeline with the adapter of a file loaded under NAME, and DPM-Solver++ as its sampler.

    Raises:
        AdapterError: the file is no adapter in our layout.
        GenerationError: the adapter belongs to another base: its keys do not match.
    """
    tensors, _ = read_adapter(adapter_path)
    pipeline = load_sampler(source, dtype, device)
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


def save_png(path, picture, *, adapter_path, base, prompt, seed, scale, settings, **more):
    """Write a picture with everything needed to make it again in its `gentra` text."""
    record = {"prompt": prompt, "seed": seed, "scale": scale, **asdict(settings), **more}
    record |= {"base": base, "adapter_sha256": sha256_of(adapter_path)}
    text = PngImagePlugin.PngInfo()
    text.add_itxt("gentra", json.dumps(record, ensure_ascii=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, pnginfo=text)
