"""The written adapter file as diffusers reads it into a fresh denoiser, against what was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from peft.tuners.lora import Conv2d, Linear

from gentra_lora.adapter.lora import NAME, AdapterError, LoraModule, lora_modules

HALF_RELATIVE, HALF_ABSOLUTE = 2**-11, 2**-25  # the largest error of rounding to float16; the latter below its range


def check_written(
    path: Path, modules: Mapping[str, LoraModule], lora_alpha: float, unet_config: Mapping[str, Any]
) -> None:
    """Compare every module's weight delta in the file, loaded by diffusers, with the trained one.

    Args:
        modules: by their paths, as trained.
        unet_config: of the denoiser.

    Raises:
        AdapterError: a module is missing or too many, or differs by more than float16's rounding explains.
    """
    reloaded = reloaded_modules(path, unet_config)
    stray = reloaded.keys() ^ modules.keys()
    if stray:
        raise AdapterError(f"{path}: {sorted(stray)[0]} is not both trained and read back; train again")
    for name, trained in modules.items():
        module, scale = reloaded[name], lora_alpha / trained.down.shape[0]
        down, up = (factor.detach().flatten(1).float().cpu() for factor in (trained.down, trained.up))
        found, wanted = module.get_delta_weight(NAME).flatten(1).float(), up @ down * scale
        down_error, up_error = ((f.abs() * HALF_RELATIVE + HALF_ABSOLUTE).norm() for f in (down, up))
        most = scale * (up_error * down.norm() + (up.norm() + up_error) * down_error)
        if not (found - wanted).norm() <= 1.01 * most:
            raise AdapterError(f"{path}: {name} does not read back as it was trained; train again")


def reloaded_modules(path: Path, unet_config: Mapping[str, Any]) -> dict[str, Linear | Conv2d]:
    """Return {module path: peft's layer} of a file that diffusers has loaded into a denoiser without weights."""
    with init_empty_weights():
        unet = UNet2DConditionModel.from_config(unet_config)
    for module in unet.modules():
        for name, parameter in module.named_parameters(recurse=False):
            nothing = torch.zeros(()).expand(parameter.shape)  # of the right shape, but 4 bytes
            setattr(module, name, torch.nn.Parameter(nothing, requires_grad=False))
    tensors, alphas = StableDiffusionPipeline.lora_state_dict(str(path), unet_config=unet.config)
    StableDiffusionPipeline.load_lora_into_unet(tensors, network_alphas=alphas, unet=unet, adapter_name=NAME)
    return {name: unet.get_submodule(name) for name in lora_modules(unet)}
