"""The base model: local folder, pinned hub id or single file -> its parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.models import AutoencoderKL, UNet2DConditionModel  # at its top, diffusers shows placeholders to mypy
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from gentra_lora.base.source import BaseModelError, BaseSource
from gentra_lora.errors import first_line

Part = TypeVar("Part", bound=UNet2DConditionModel | AutoencoderKL | CLIPTokenizer | CLIPTextModel | DDPMScheduler)
Loaded = TypeVar("Loaded")


def load_unet(source: BaseSource, dtype: torch.dtype) -> UNet2DConditionModel:
    """Return the frozen denoiser.

    Raises:
        BaseModelError: it cannot be loaded, or is not one of Stable Diffusion 1.x (4 latent channels in and out).
    """
    unet = _load(UNet2DConditionModel, "unet", source)
    if unet.config["in_channels"] != 4 or unet.config["addition_embed_type"] is not None:
        raise BaseModelError(f"base.model: {source.model} is an inpainting or SDXL model; take one of SD 1.x")
    return unet.to(dtype).requires_grad_(False).eval()


def load_unet_shapes(source: BaseSource) -> UNet2DConditionModel:
    """Return the denoiser without its weights, on torch's meta device: of a hub id only its configuration is loaded."""
    if Path(source.model).is_file():
        return load_unet(source, torch.float32).to("meta")  # type: ignore[arg-type]  # its type lacks self
    load, options = UNet2DConditionModel.load_config, {"subfolder": "unet", "revision": source.revision}
    config = guarded("base.model", source.model, load, source.model, **options)
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(config).requires_grad_(False)


def load_vae(source: BaseSource) -> AutoencoderKL:
    """Return the frozen autoencoder, always in float32: in half precision it overflows on some pictures."""
    if source.vae is not None:
        load = AutoencoderKL.from_pretrained
        vae = guarded("base.vae", source.vae, load, source.vae, revision=source.vae_revision)
    else:
        vae = _load(AutoencoderKL, "vae", source)
    return vae.float().requires_grad_(False).eval()


def load_tokenizer(source: BaseSource) -> CLIPTokenizer:
    """Return the tokenizer."""
    return _load(CLIPTokenizer, "tokenizer", source)


def load_text_encoder(source: BaseSource) -> CLIPTextModel:
    """Return the frozen text encoder in float32."""
    return _load(CLIPTextModel, "text_encoder", source).float().requires_grad_(False).eval()


def load_noise_scheduler(source: BaseSource) -> DDPMScheduler:
    """Return the training noise schedule, with the base's betas and prediction type."""
    if Path(source.model).is_file():
        return DDPMScheduler.from_config(_load_from_file("scheduler", source.model).config)
    return _load(DDPMScheduler, "scheduler", source)


def load_pipeline(
    source: BaseSource, dtype: torch.dtype, device: torch.device, unet: UNet2DConditionModel | None = None
) -> StableDiffusionPipeline:
    """Return the whole pipeline for generation: denoiser and text encoder in `dtype`, the VAE in float32.

    `unet` takes the place of the base's own, and stays on the device where it is.
    """
    pipeline = StableDiffusionPipeline(
        vae=load_vae(source).to(device),  # type: ignore[arg-type]  # its type lacks self
        text_encoder=load_text_encoder(source).to(device, dtype),  # type: ignore[arg-type]  # likewise
        tokenizer=load_tokenizer(source),
        unet=load_unet(source, dtype).to(device) if unet is None else unet,  # type: ignore[arg-type]  # likewise
        scheduler=load_noise_scheduler(source),  # type: ignore[arg-type]  # any scheduler is taken
        safety_checker=None,  # type: ignore[arg-type]  # None is taken
        feature_extractor=None,  # type: ignore[arg-type]  # likewise
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _load(kind: type[Part], subfolder: str, source: BaseSource) -> Part:
    """Load one part, anew each time, since parts are changed by whoever asked for them."""
    if Path(source.model).is_file():
        return _load_from_file(subfolder, source.model)
    load, options = kind.from_pretrained, {"subfolder": subfolder, "revision": source.revision}
    return guarded("base.model", source.model, load, source.model, **options)


def _load_from_file(subfolder: str, file: str) -> Any:
    """Load one part of a single file and leave out the others, which the file may lack ("noVAE")."""
    left_out = {"vae", "text_encoder", "tokenizer", "unet", "scheduler", "safety_checker", "feature_extractor"}
    options = dict.fromkeys(left_out - {subfolder}) | {"requires_safety_checker": False}
    try:
        pipeline = guarded("base.model", file, StableDiffusionPipeline.from_single_file, file, **options)
        part = getattr(pipeline, subfolder)
        if isinstance(part, torch.nn.Module):
            part.to("cpu")
    except NotImplementedError as error:
        # diffusers leaves a weight that the file lacks without data, which torch then refuses to move.
        raise BaseModelError(f"base.model: {file} lacks weights of the {subfolder}; take a whole checkpoint") from error
    return part


def guarded(key: str, name: str, load: Callable[..., Loaded], *args: object, **kwargs: object) -> Loaded:
    """Return load(...); what goes wrong becomes a BaseModelError that names the key of params.yaml and its value."""
    try:
        return load(*args, **kwargs)
    except (OSError, ValueError, KeyError, SingleFileComponentError) as error:
        raise BaseModelError(f"{key}: {name} cannot be loaded: {first_line(error)}") from error
