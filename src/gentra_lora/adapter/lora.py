"""The adapter: LoRA attached to the denoiser.

Hu et al. 2021, arXiv 2106.09685. A module's weight delta is lora_up @ lora_down * lora_alpha / rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.models import UNet2DConditionModel
from peft import LoraConfig

from gentra_lora.errors import InputError

NAME = "subject"
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
# With feed-forward and the projections around them: on SD 1.5 this reaches a full fine-tune's held-out gain.
ATTENTION_FF = [*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
CONV = ["conv1", "conv2", "conv_shortcut", "time_emb_proj", "conv"]  # of the residual blocks and the resamplers
TARGET_MODULES = {"attention": ATTENTION, "attention+ff": ATTENTION_FF, "attention+ff+conv": ATTENTION_FF + CONV}


class AdapterError(InputError):
    """An adapter that must not be saved or used; the message names the module or file."""


@dataclass(frozen=True)
class LoraModule:
    """One module's factors: down (rank, in, ...), up (out, rank, ...)."""

    down: torch.Tensor
    up: torch.Tensor


def attach_adapter(
    unet: UNet2DConditionModel, rank: int, lora_alpha: float, target_modules: str, seed: int, dropout: float = 0.0
) -> list[torch.nn.Parameter]:
    """Add LoRA to the frozen denoiser and return the trainable parameters, float32 whatever the base's dtype.

    lora_up starts at zero, so that the adapter starts as the base. The global random state is left as it was.

    Args:
        target_modules: a key of TARGET_MODULES.
        dropout: the share of each module's input values that are left out of the adapter's path.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=lora_alpha,  # type: ignore[arg-type]  # a fraction is taken, too
        lora_dropout=dropout,
        target_modules=TARGET_MODULES[target_modules],
        init_lora_weights="gaussian",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet.add_adapter(config, adapter_name=NAME)
    trainable = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.data = parameter.data.float()
    return trainable


def lora_modules(unet: UNet2DConditionModel) -> dict[str, LoraModule]:
    """Return {module path: LoraModule} of the attached adapter, the tensors themselves."""
    return {
        name: LoraModule(module.lora_A[NAME].weight, module.lora_B[NAME].weight)
        for name, module in unet.named_modules()
        if hasattr(module, "lora_A") and NAME in module.lora_A
    }


def count_weights(unet: UNet2DConditionModel, rank: int, target_modules: str) -> tuple[int, int, int]:
    """Return (modules, trained weights, the base's own weights) of an adapter; `unet` is left with it attached.

    Args:
        unet: may be one of shapes alone, on torch's meta device.
        target_modules: a key of TARGET_MODULES.
    """
    frozen = sum(parameter.numel() for parameter in unet.parameters())
    trainable = attach_adapter(unet, rank, rank, target_modules, seed=0)
    return len(trainable) // 2, sum(parameter.numel() for parameter in trainable), frozen


def flatten(parameters: Sequence[torch.nn.Parameter]) -> torch.nn.Parameter:
    """Return one parameter, flat, of which the values and gradients of `parameters` become parts.

    Clipping, optimizer and sums over processes then take a few large operations instead of a few for each of hundreds.
    Move the model before, not after: that would take its weights out again. Gradients must be set to zero, not to None.
    """
    flat = torch.nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    flat.grad, start = torch.zeros_like(flat), 0
    for parameter in parameters:
        place = slice(start, start + parameter.numel())
        parameter.data, parameter.grad = (of[place].view(parameter.shape) for of in (flat.data, flat.grad))
        start = place.stop
    return flat
