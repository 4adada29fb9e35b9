"""A diffusers folder in the key layout of the original Stable Diffusion code: all parts in one flat state dict."""

import json
import re

from safetensors.torch import load_file

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


def replaced(key, names):
    for ours, theirs in names.items():
        key = key.replace(ours, theirs)
    return key


def unet_key(key, layers_per_block, up_block_types):
    """Return the original's key, which counts the layers through all blocks.

    A downsampler counts as one more layer of its block; an upsampler belongs to the block's last layer, where it stands
    after the attention, if there is one.
    """

    def place(found):
        side, block, kind, layer = found.groups()
        within = layers_per_block if kind.endswith("samplers") else int(layer)
        number = int(block) * (layers_per_block + 1) + within
        # input_blocks.0 is conv_in.
        blocks = f"input_blocks.{number + 1}" if side == "down" else f"output_blocks.{number}"
        attention = side == "up" and "Attn" in up_block_types[int(block)]
        return f"{blocks}.{UNET_PLACE.get(kind, f'{1 + attention}.conv')}."

    if ".resnets." in key:
        key = replaced(key, UNET_RESNET)
    return replaced(re.sub(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(?:conv\.)?", place, key), UNET)


def vae_key(key, blocks):
    """Return the original's key, which counts the decoder's blocks from the picture, not from the latents."""
    return replaced(re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{blocks - 1 - int(found[1])}", key), VAE)


def ldm_state_dict(folder):
    """Return the folder's weights as the original's; its autoencoder has 1 x 1 convolutions for attention."""
    unet, vae = (json.loads((folder / part / "config.json").read_text()) for part in ("unet", "vae"))
    weights = {}
    for key, tensor in load_file(folder / "unet/diffusion_pytorch_model.safetensors").items():
        weights["model.diffusion_model." + unet_key(key, unet["layers_per_block"], unet["up_block_types"])] = tensor
    for key, tensor in load_file(folder / "vae/diffusion_pytorch_model.safetensors").items():
        if "attentions" in key and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        weights["first_stage_model." + vae_key(key, len(vae["block_out_channels"]))] = tensor
    for key, tensor in load_file(folder / "text_encoder/model.safetensors").items():
        weights["cond_stage_model.transformer.text_model." + key.removeprefix("text_model.")] = tensor
    return weights
