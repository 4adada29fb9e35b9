"""What the first bytes of a base's files say: whether it can be a base at all. Without torch or diffusers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gentra_lora.base.files.configs import config_if_any, prediction_type_of
from gentra_lora.base.files.hub import STEMS
from gentra_lora.base.files.kind import OTHER_INPUTS, check_kind, vae_names
from gentra_lora.base.files.pipeline_folder import check_index, check_vocabulary, part_config, weights_in
from gentra_lora.base.source import BaseModelError, BaseSource, check_pinned

OWN_SCALE = 0.18215  # of SD 1.x's autoencoder, where a configuration does not say it


def look_into(source: BaseSource) -> None:
    """Refuse a base that cannot be one: of local files what their headers tell, of a hub id its name.

    Raises:
        BaseModelError: not pinned, another kind of model, or files that are missing, cut or no weights.
    """
    check_pinned("base.model", source.model, source.revision)
    if source.vae is not None:
        check_pinned("base.vae", source.vae, source.vae_revision)
    elif source.vae_revision is not None:
        raise BaseModelError(f"base.vae_revision: is {source.vae_revision}, but base.vae is null")
    if source.is_file:
        check_kind(source.model)
        prediction_type_of(source)
    elif Path(source.model).is_dir():
        _look_into_folder(Path(source.model), source)
    if source.vae is not None and Path(source.vae).exists():
        own = config_if_any(source, "vae") if Path(source.model).exists() else None
        _look_into_vae(Path(source.vae), own)


def _look_into_folder(folder: Path, source: BaseSource) -> None:
    check_index(folder)
    prediction_type_of(source)
    text, unet = (part_config("base.model", folder / part, part) for part in ("text_encoder", "unet"))
    check_denoiser(source.model, unet, text)
    if source.vae is None:
        check_vae("base.model", source.model, part_config("base.model", folder / "vae", "vae"), None)
    check_vocabulary(folder / "tokenizer")
    parts = ["text_encoder", "unet"] if source.vae else ["text_encoder", "unet", "vae"]
    shapes = {part: weights_in("base.model", folder / part, STEMS[part]) or {} for part in parts}
    into = shapes["unet"].get("conv_in.weight", ())
    if len(into) == 4 and into[1] != 4:  # another's weights beside its own configuration
        raise BaseModelError(f"base.model: {source.model} is {_of_inputs(into[1])}; take one of Stable Diffusion 1.x")


def _look_into_vae(path: Path, own: Mapping[str, Any] | None) -> None:
    if path.is_file():
        vae_names(path)
        return
    if not (path / "config.json").exists() and (path / "vae/config.json").exists():
        raise BaseModelError(f"base.vae: {path} is a whole pipeline; name its {path / 'vae'}")
    check_vae("base.vae", str(path), part_config("base.vae", path, "vae"), own)
    weights_in("base.vae", path, STEMS["vae"])


def _of_inputs(channels: int) -> str:
    return OTHER_INPUTS.get(channels, f"a model of {channels} input channels")


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
    hidden = (text.get("text_config") or text).get("hidden_size", 512)  # CLIP's default
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
