"""A picture engine on the tiny base, adapters for it, and requests for its pictures."""

import torch
from PIL import Image

from gentra_lora.adapter.file import kohya_tensors, read_adapter, write_adapter
from gentra_lora.base.model import BaseSource
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.request import PictureRequest
from tests.adapter.test_lora import trained
from tests.conftest import make_unet

PHOTO = Image.linear_gradient("L").convert("RGB").resize((96, 64))
MIXED = [  # everything that may differ within a batch
    {"prompt": "a car", "seed": 1, "guidance_scale": 3.0, "lora_scale": 1.0},
    {"prompt": "a van in snow", "seed": 2, "guidance_scale": 7.5, "lora_scale": 0.0, "negative_prompt": "rain"},
    {"prompt": "a car", "seed": 3, "guidance_scale": 1.5, "lora_scale": 0.4},
]


def load_engine(base, precision="no"):
    """Return an engine of the base's folder on the CPU, without an adapter."""
    return PictureEngine(BaseSource(str(base)), precision, torch.device("cpu"))


def adapter_tensors(factor=1.0):
    """Return the tensors of an adapter file, all kinds of modules adapted, alpha other than rank."""
    tensors = kohya_tensors(trained(make_unet().requires_grad_(False), 4, 2, "attention+ff+conv"), 2)
    return {key: tensor * factor if "lora_up" in key else tensor for key, tensor in tensors.items()}


def write_tiny_adapter(path, factor=1.0):
    """Write such an adapter and return its tensors as they are read back."""
    write_adapter(path, adapter_tensors(factor), {"format": "pt"})
    return read_adapter(path)[0]


def put_on(engine, tensors):
    """Put an adapter on an engine."""
    engine.adapter.use(engine.adapter.fit("a.safetensors", tensors))


def request(**values):
    """Return a request for a picture of 64 px in 4 steps."""
    plain = {"prompt": "a car", "seed": 1, "num_inference_steps": 4, "guidance_scale": 3.0, "width": 64, "height": 64}
    return PictureRequest(**plain | values)


def photo_request(**values):
    """Return a request for a photo redrawn in half of 6 steps."""
    return request(**{"num_inference_steps": 6, "strength": 0.5, "photo": PHOTO, "photo_sha256": "0" * 64} | values)


def run(batch, steps=None):
    """Take steps, all that are left where `steps` is None; return the latents."""
    while not batch.done and steps != 0:
        batch.step()
        steps = None if steps is None else steps - 1
    return batch.latents
