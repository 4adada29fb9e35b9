"""How each part of a base that has weights is loaded."""

import torch

from gentra_lora.base.model import load_text_encoder, load_unet, load_vae

LOAD = {"unet": lambda source: load_unet(source, torch.float32), "vae": load_vae, "text_encoder": load_text_encoder}
