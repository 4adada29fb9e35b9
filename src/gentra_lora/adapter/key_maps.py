"""Whether other programs find the module that each key of an adapter file names; they pass over those they do not.

ComfyUI (and Forge) writes the names of the denoiser's weights in diffusers' form with underscores for dots. A1111 turns
the names into those of the original Stable Diffusion code by rules that hold for the layout of SD 1.x alone.
"""

import re
from collections.abc import Iterable

from diffusers.models import UNet2DConditionModel

from gentra_lora.adapter.lora import AdapterError

PREFIX = "lora_unet_"
RESNET = {
    "conv1": "in_layers_2",
    "conv2": "out_layers_3",
    "time_emb_proj": "emb_layers_1",
    "conv_shortcut": "skip_connection",
}
BLOCK = re.compile(r"(down|up)_blocks_(\d+)_(attentions|resnets)_(\d+)_(\w+)")
MID_BLOCK = re.compile(r"mid_block_(attentions|resnets)_(\d+)_(\w+)")
SAMPLER = re.compile(r"(down|up)_blocks_(\d+)_(?:down|up)samplers_0_conv")


def comfyui_names(unet: UNet2DConditionModel) -> set[str]:
    """Return all names under which ComfyUI looks for a module of the denoiser."""
    weights = [name for name, _ in unet.named_parameters() if name.endswith(".weight") and ".lora_" not in name]
    names = {name.replace(".base_layer", "") for name in weights}
    return {PREFIX + name.removesuffix(".weight").replace(".", "_") for name in names}


def a1111_name(name: str) -> str | None:
    """Return the module of the original code, dots as underscores, that A1111 takes a name for; None for no rule."""
    name = name.removeprefix(PREFIX)
    if found := BLOCK.fullmatch(name):
        side, block, kind, layer, rest = found.groups()
        number = int(block) * 3 + int(layer)
        place = f"input_blocks_{number + 1}" if side == "down" else f"output_blocks_{number}"
        return f"{place}_{int(kind == 'attentions')}_{_rest(kind, rest)}"
    if found := MID_BLOCK.fullmatch(name):
        kind, layer, rest = found.groups()
        return f"middle_block_{1 if kind == 'attentions' else int(layer) * 2}_{_rest(kind, rest)}"
    if found := SAMPLER.fullmatch(name):
        side, block = found[1], int(found[2])
        if side == "down":
            return f"input_blocks_{3 + 3 * block}_0_op"
        return f"output_blocks_{2 + 3 * block}_{2 if block else 1}_conv"
    return None


def _rest(kind: str, rest: str) -> str:
    return RESNET.get(rest, rest) if kind == "resnets" else rest


def check_keys(tensors: Iterable[str], unet: UNet2DConditionModel) -> None:
    """Refuse an adapter with a key that ComfyUI or, for a base of SD 1.x's shape, A1111 would pass over.

    Raises:
        AdapterError: names the key.
    """
    known = comfyui_names(unet)
    sd1 = unet.config["layers_per_block"] == 2 and len(unet.config["block_out_channels"]) == 4
    for name in {key.split(".")[0] for key in tensors}:
        if name not in known:
            raise AdapterError(f"{name}: ComfyUI knows no such module; the adapter was not written")
        if sd1 and a1111_name(name) is None:
            raise AdapterError(f"{name}: A1111 knows no such module; the adapter was not written")
