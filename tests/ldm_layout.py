"""A diffusers folder in the key layout of the original Stable Diffusion code: all parts in one flat state dict."""

import json

from safetensors.torch import load_file

from gentra_lora.base.files.ldm_layout import original_name

WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


def ldm_state_dict(folder):
    """Return the folder's weights as the original's; its autoencoder has 1 x 1 convolutions for attention."""
    weights = {}
    for part, file in WEIGHTS.items():
        config = json.loads((folder / part / "config.json").read_text())
        for name, tensor in load_file(folder / part / file).items():
            convolution = part == "vae" and "attentions" in name and tensor.ndim == 2
            weights[original_name(part, name, config)] = tensor[:, :, None, None] if convolution else tensor
    return weights
