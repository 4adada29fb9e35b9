"""What the original Stable Diffusion code calls the weights of each part; single files are written in its names."""

import re
from collections.abc import Mapping
from typing import Any

PREFIXES = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text_encoder": "cond_stage_model."}
TEXT = "cond_stage_model.transformer.text_model."
UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_PLACE = {"resnets": "0", "attentions": "1", "downsamplers": "0.op"}
VAE = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "down_blocks": "down",
    "resnets": "block",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def original_name(part: str, name: str, config: Mapping[str, Any]) -> str:
    """Return the original's name of a weight, with the prefix that it has in a file of all parts.

    Args:
        part: unet, vae or text_encoder.
        config: the part's, which says how its blocks are counted.
    """
    if part == "unet":
        return PREFIXES[part] + _unet_name(name, config["layers_per_block"], config["up_block_types"])
    if part == "vae":
        return PREFIXES[part] + _vae_name(name, len(config["block_out_channels"]))
    return TEXT + name.removeprefix("text_model.")


def with_text_model(name: str) -> str:
    """Return the text encoder's usual name of a weight for the one without `text_model`, as some merges have it."""
    start = "cond_stage_model.transformer."
    if name.startswith((start + "embeddings.", start + "encoder.", start + "final_layer_norm.")):
        return TEXT + name.removeprefix(start)
    return name


def _unet_name(name: str, layers_per_block: int, up_block_types: list[str]) -> str:
    """The original counts the layers through all blocks.

    A downsampler counts as one more layer of its block; an upsampler belongs to the block's last layer, where it stands
    after the attention, if there is one.
    """

    def place(found: re.Match[str]) -> str:
        side, block, kind, layer = found.groups()
        within = layers_per_block if kind.endswith("samplers") else int(layer)
        number = int(block) * (layers_per_block + 1) + within
        # input_blocks.0 is conv_in.
        blocks = f"input_blocks.{number + 1}" if side == "down" else f"output_blocks.{number}"
        attention = side == "up" and "Attn" in up_block_types[int(block)]
        return f"{blocks}.{UNET_PLACE.get(kind, f'{1 + attention}.conv')}."

    if ".resnets." in name:
        name = _replaced(name, UNET_RESNET)
    return _replaced(re.sub(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(?:conv\.)?", place, name), UNET)


def _vae_name(name: str, blocks: int) -> str:
    """The original counts the decoder's blocks from the picture, not from the latents."""
    return _replaced(re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{blocks - 1 - int(found[1])}", name), VAE)


def _replaced(name: str, names: Mapping[str, str]) -> str:
    for ours, theirs in names.items():
        name = name.replace(ours, theirs)
    return name
