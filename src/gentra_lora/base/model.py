"""The base model: local folder, pinned hub id or single file -> its parts, in a dtype chosen by the hardware."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.models import AutoencoderKL, UNet2DConditionModel  # at its top, diffusers shows placeholders to mypy
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from gentra_lora.errors import InputError, first_line

DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
Part = TypeVar("Part", bound=UNet2DConditionModel | AutoencoderKL | CLIPTokenizer | CLIPTextModel | DDPMScheduler)
Loaded = TypeVar("Loaded")


class BaseModelError(InputError):
    """The base cannot be used; the message names the key of params.yaml, its value and the way out."""


@dataclass(frozen=True)
class BaseSource:
    """Where the base comes from. A separate `vae` replaces the base's own (for the "noVAE" checkpoints)."""

    model: str
    revision: str | None = None
    vae: str | None = None
    vae_revision: str | None = None
    mixed_precision: str = "auto"


def check_pinned(key: str, name: str, revision: str | None) -> None:
    """Accept a local path without a revision, or a hub id with a full commit hash.

    Raises:
        BaseModelError: neither.
    """
    if Path(name).exists():
        if revision is not None:
            raise BaseModelError(f"{key}: {name} is a local path and has no revision; set its revision to null")
        return
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise BaseModelError(f"{key}: {name} is neither a path that exists nor a hub id (owner/name)")
    if not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        raise BaseModelError(
            f"{key}: {name} is no path that exists; as a hub id it needs its revision, a full commit hash of 40 "
            f"hexadecimal digits, not {revision!r}: without it the weights may change under you"
        )


def check_base(source: BaseSource) -> None:
    """Refuse a base that cannot be one, before anything is loaded.

    Raises:
        BaseModelError: not pinned, or a local folder that is no Stable Diffusion 1.x pipeline.
    """
    check_pinned("base.model", source.model, source.revision)
    if source.vae is not None:
        check_pinned("base.vae", source.vae, source.vae_revision)
    elif source.vae_revision is not None:
        raise BaseModelError(f"base.vae_revision: is {source.vae_revision}, but base.vae is null")
    folder = Path(source.model)
    if folder.is_dir():
        index = folder / "model_index.json"
        if not index.exists():
            raise BaseModelError(f"base.model: {folder} holds no model_index.json; it must be a diffusers pipeline")
        kind = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
        if kind != "StableDiffusionPipeline":
            raise BaseModelError(
                f"base.model: {folder} is a {kind}; only Stable Diffusion 1.x pipelines can learn here"
            )


def base_identity(source: BaseSource) -> str:
    """Return a name for the exact weights: id@revision, or for local files a sha256 over their names and bytes."""
    parts = [_identity(source.model, source.revision)]
    if source.vae is not None:
        parts.append(_identity(source.vae, source.vae_revision))
    return " + ".join(parts)


def _identity(name: str, revision: str | None) -> str:
    path = Path(name)
    if not path.exists():
        return f"{name}@{revision}"
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return f"{path.name}@sha256:{digest.hexdigest()}"


def choose_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(requested: str, device: torch.device) -> tuple[str, str]:
    """Return ("no" | "fp16" | "bf16", the reason) for `auto` or an explicit request.

    Raises:
        BaseModelError: an explicit request that the device runs only by emulation, or not at all.
    """
    if device.type != "cuda":
        if requested not in ("auto", "no"):
            raise BaseModelError(f"base.mixed_precision: {requested} needs a GPU, and there is none; set auto or no")
        return "no", "no GPU: float32"
    capability = torch.cuda.get_device_capability(device)
    name = f"{torch.cuda.get_device_name(device)} (compute capability {capability[0]}.{capability[1]})"
    if requested == "bf16" and capability < (8, 0):
        raise BaseModelError(f"base.mixed_precision: bf16 is only emulated on {name}; set auto or fp16")
    if requested != "auto":
        return requested, f"{name}: {requested} as asked"
    if capability < (8, 0):
        return "fp16", f"{name}: fp16, since it has no bfloat16 units"
    return "bf16", f"{name}: bf16, which needs no loss scaling"


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
