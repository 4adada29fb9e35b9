"""What is looked at before anything runs: whether a base can be one, and is whole. No weight is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gentra_lora.base.files.configs import config_if_any, config_of, load_noise_scheduler, sd1_config
from gentra_lora.base.files.kind import OTHER_INPUTS
from gentra_lora.base.files.pipeline_folder import check_index, check_part, check_tokens
from gentra_lora.base.files.single_file import check_single_file, check_vae_file
from gentra_lora.base.files.tokens import text_config
from gentra_lora.base.source import BaseModelError, BaseSource, check_pinned

OWN_SCALE = 0.18215  # of SD 1.x's autoencoder, where a configuration does not say it


def check_base(source: BaseSource) -> None:
    """Refuse a base that cannot be one: of local files all that their headers tell, of a hub id its name.

    Raises:
        BaseModelError: not pinned, no Stable Diffusion 1.x model, or not whole.
    """
    check_pinned("base.model", source.model, source.revision)
    if source.vae is not None:
        check_pinned("base.vae", source.vae, source.vae_revision)
    elif source.vae_revision is not None:
        raise BaseModelError(f"base.vae_revision: is {source.vae_revision}, but base.vae is null")
    if source.is_file:
        check_single_file(source.model, source.vae is not None)
        load_noise_scheduler(source)
    elif Path(source.model).is_dir():
        _check_folder(Path(source.model), source)
    if source.vae is not None and Path(source.vae).exists():
        _check_separate_vae(Path(source.vae), config_if_any(source, "vae") if Path(source.model).exists() else None)


def _check_folder(folder: Path, source: BaseSource) -> None:
    check_index(folder)
    load_noise_scheduler(source)
    text = check_part("base.model", folder / "text_encoder", "text_encoder")
    check_tokens(folder / "tokenizer", text)
    check_denoiser(source.model, config_of(source, "unet"), text)
    check_part("base.model", folder / "unet", "unet")
    if source.vae is None:
        check_vae("base.model", source.model, check_part("base.model", folder / "vae", "vae"), None)


def _check_separate_vae(path: Path, own: Mapping[str, Any] | None) -> None:
    if path.is_file():
        check_vae_file(path, own or sd1_config("vae"))
        return
    if not (path / "config.json").exists() and (path / "vae/config.json").exists():
        raise BaseModelError(f"base.vae: {path} is a whole pipeline; name its {path / 'vae'}")
    check_vae("base.vae", str(path), check_part("base.vae", path, "vae"), own)


def check_denoiser(model: str, unet: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    """Refuse a denoiser that is not one of Stable Diffusion, by its configuration and the text encoder's.

    Raises:
        BaseModelError: says what it is.
    """
    channels, width = (unet.get("in_channels", 4), unet.get("out_channels", 4)), unet.get("cross_attention_dim", 1280)
    if unet.get("addition_embed_type") is not None:
        raise BaseModelError(f"base.model: {model} is an SDXL model; take one of Stable Diffusion 1.x")
    if channels != (4, 4):
        kind = OTHER_INPUTS.get(channels[0], "a model of {} input and {} output channels".format(*channels))
        raise BaseModelError(f"base.model: {model} is {kind}; take one of Stable Diffusion 1.x")
    hidden = text_config(text).hidden_size
    if width != hidden:
        raise BaseModelError(
            f"base.model: the text encoder of {model} gives embeddings of {hidden} numbers, and its unet reads "
            f"{width}: they are of different models; take a whole one"
        )


def check_vae(key: str, name: str, config: Mapping[str, Any], own: Mapping[str, Any] | None) -> None:
    """Refuse an autoencoder whose latents the denoiser does not understand.

    Args:
        own: configuration of the base's own autoencoder, None where it has none or is meant itself.

    Raises:
        BaseModelError: other channels, or another scale: SDXL's has the same weights' shapes.
    """
    if config.get("latent_channels", 4) != 4:
        raise BaseModelError(
            f"{key}: the vae of {name} makes latents of {config['latent_channels']} channels, and Stable Diffusion "
            "1.x reads 4; take one of its autoencoders"
        )
    scale, wanted = (values.get("scaling_factor", OWN_SCALE) for values in (config, own or config))
    if scale != wanted:
        raise BaseModelError(
            f"{key}: {name} has the scaling_factor {scale:g}, and the base's own {wanted:g}: its latents mean "
            "something else (SDXL's has 0.13025); take an autoencoder of the base's kind"
        )
