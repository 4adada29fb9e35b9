"""The base with a trained adapter -> pictures, for evaluate."""

import math

import torch
from diffusers import StableDiffusionImg2ImgPipeline

from gentra_lora.adapter import NAME
from gentra_lora.adapter_file import read_adapter
from gentra_lora.crops import centre_crop
from gentra_lora.errors import first_line
from gentra_lora.photo import to_pixel_values
from gentra_lora.pictures import GenerationError, check_prompts, decode, generators, load_sampler

SCHEDULE_STEPS = 1000  # of every Stable Diffusion 1.x


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
    again = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    again.set_progress_bar_config(disable=True)
    latents = again(
        prompt,
        image=encode(pipeline.vae, centre_crop(photo, settings.resolution)),
        strength=strength,
        generator=generators([seed]),
        num_inference_steps=steps_of_schedule(settings.num_inference_steps, strength),
        guidance_scale=settings.guidance_scale,
        output_type="latent",
    ).images
    return decode(pipeline.vae, latents, [prompt], [seed])[0]


def steps_of_schedule(wanted, strength):
    """Return the number of steps of which a strength redoes as many as are wanted.

    Raises:
        GenerationError: more than the noise schedule has.
    """
    steps = math.ceil(wanted / strength)
    if steps > SCHEDULE_STEPS:
        raise GenerationError(
            f"strength {strength:g} with {wanted} steps needs a schedule of {steps} steps, and there are "
            f"{SCHEDULE_STEPS}; raise the strength or lower the steps"
        )
    return steps


@torch.no_grad()
def encode(vae, image):
    """Return an RGB image as scaled latents (1, 4, R/f, R/f): the posterior's mean, in the VAE's own float32."""
    return vae.encode(to_pixel_values(image).to(vae.device)).latent_dist.mean * vae.config.scaling_factor
