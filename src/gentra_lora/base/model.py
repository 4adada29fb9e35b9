"""The base model: local folder, pinned hub id or single file -> its parts, whole."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.models import AutoencoderKL, UNet2DConditionModel  # at its top, diffusers shows placeholders to mypy
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer

from gentra_lora.base.files.configs import config_if_any, config_of, sd1_config, sd1_path
from gentra_lora.base.files.hub import STEMS, hub_folder
from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.files.parts import check_part
from gentra_lora.base.files.pipeline_folder import variant_in
from gentra_lora.base.files.single_file import load_part, load_vae_file
from gentra_lora.base.files.tokens import check_reads, check_tokenizer, text_config, tokenizer_of_merges
from gentra_lora.base.files.wholeness import check_loaded, check_values
from gentra_lora.base.first_look import check_denoiser, check_vae
from gentra_lora.base.source import BaseSource, guarded

Part = TypeVar("Part", bound=UNet2DConditionModel | AutoencoderKL | CLIPTextModel)


def load_unet(source: BaseSource, dtype: torch.dtype) -> UNet2DConditionModel:
    """Return the frozen denoiser.

    Raises:
        BaseModelError: it cannot be loaded, is not whole, or not one of Stable Diffusion.
    """
    check_denoiser(source.model, config_of(source, "unet"), config_of(source, "text_encoder"))
    return _load(UNet2DConditionModel, "unet", source).to(dtype)


def load_unet_shapes(source: BaseSource) -> UNet2DConditionModel:
    """Return the denoiser without its weights, on torch's meta device: of a hub id only its configuration is loaded."""
    config = config_of(source, "unet")
    with torch.device("meta"):
        unet = guarded("base.model", source.model, UNet2DConditionModel.from_config, config)
    return unet.requires_grad_(False)


def load_vae(source: BaseSource) -> AutoencoderKL:
    """Return the frozen autoencoder, always in float32: in half precision it overflows on some pictures.

    Raises:
        BaseModelError: it cannot be loaded, is not whole, or a separate one is not of the base's kind.
    """
    if source.vae is None:
        return _load(AutoencoderKL, "vae", source).float()
    own = config_if_any(source, "vae")
    if Path(source.vae).is_file():
        vae = load_vae_file(Path(source.vae), own or sd1_config("vae"))
    else:
        vae = _from_pretrained(AutoencoderKL, "base.vae", source.vae, source.vae_revision, "", "vae")
        check_vae("base.vae", source.vae, vae.config, own)
    return _frozen("base.vae", source.vae, "vae", vae.float())


def load_tokenizer(source: BaseSource) -> CLIPTokenizer:
    """Return the tokenizer.

    Raises:
        BaseModelError: it cannot be loaded, is not whole, or not the text encoder's.
    """
    name = source.model
    if source.is_file:
        tokenizer = guarded("base.model", name, tokenizer_of_merges, sd1_path("tokenizer"))
    else:
        options = {"subfolder": "tokenizer", "revision": source.revision}
        tokenizer = guarded("base.model", name, CLIPTokenizer.from_pretrained, name, **options)
    known = text_config(config_of(source, "text_encoder"))
    check_tokenizer("base.model", name, tokenizer, known.vocab_size, known.max_position_embeddings)
    return tokenizer


def load_text_encoder(source: BaseSource) -> CLIPTextModel:
    """Return the frozen text encoder in float32.

    Raises:
        BaseModelError: it cannot be loaded, is not whole, or makes one prompt of two.
    """
    text_encoder = _load(CLIPTextModel, "text_encoder", source).float()
    check_reads("base.model", source.model, load_tokenizer(source), text_encoder)
    return text_encoder


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
        scheduler=None,  # type: ignore[arg-type]  # set below: of older schedules it says for a page what to change
        safety_checker=None,  # type: ignore[arg-type]  # None is taken
        feature_extractor=None,  # type: ignore[arg-type]  # likewise
        requires_safety_checker=False,
    )
    pipeline.scheduler = load_noise_scheduler(source)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _load(kind: type[Part], part: str, source: BaseSource) -> Part:
    """Load one part, anew each time, since parts are changed by whoever asked for them."""
    if source.is_file:
        loaded = load_part(source.model, part)
        assert isinstance(loaded, kind)
    else:
        loaded = _from_pretrained(kind, "base.model", source.model, source.revision, part, part)
    return _frozen("base.model", source.model, part, loaded)


def _from_pretrained(kind: type[Part], key: str, name: str, revision: str | None, subfolder: str, part: str) -> Part:
    local = Path(name).exists()
    folder = Path(name, subfolder) if local else hub_folder(key, name, revision, subfolder, STEMS[part])
    check_part(key, folder, part)
    variant = variant_in(key, folder, STEMS[part])
    options: dict[str, Any] = {"subfolder": subfolder, "revision": revision, "variant": variant}
    load: Any = kind.from_pretrained  # with the loading info it returns two
    loaded, info = guarded(key, name, load, name, output_loading_info=True, **options)
    check_loaded(key, f"the {part} of {name}", info)  # pickles have no header that could have been checked
    return loaded


def _frozen(key: str, name: str, part: str, loaded: Part) -> Part:
    check_values(key, name, part, loaded)
    loaded.requires_grad_(False)
    loaded.eval()
    return loaded
