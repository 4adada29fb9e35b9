"""What backward keeps of a training step of Stable Diffusion 1.5's shape in float16, counted without a GPU.

`python bench/activations.py`: writes bench/activations.json. The denoiser lies on torch's meta device, shapes
without values; what autograd saves is added up, each storage once, parameters left out. Attention saves what torch's
memory-efficient and flash kernels save on a GPU. The weights, the optimizer, what kernels need besides and what the
allocator cannot use are not counted: the card needs more.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gentra_lora.params import read_params
from gentra_lora.training.batches import TrainingData
from gentra_lora.training.denoising import squared_errors
from gentra_lora.training.run import Training

RESULT = Path(__file__).with_suffix(".json")
PROFILE = Path(__file__).parents[1] / "profiles/sd15_t4.yaml"
SIZE, BATCH_SIZES = 768, (1, 2, 4)


class _Attention(torch.autograd.Function):
    """Attention that saves its inputs, its output and one float32 for each row, and computes nothing."""

    @staticmethod
    def forward(ctx, query, key, value):
        out, rows = torch.empty_like(query), query.new_empty(query.shape[:3], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, rows)
        return out

    @staticmethod
    def backward(ctx, _):
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3])


def _to(dtype, value):
    return value.to(dtype) if isinstance(value, torch.Tensor) else value


class OnAGpu(TorchFunctionMode):
    """Attention as a GPU's kernels keep it; with `autocast` the dtypes that torch.autocast gives on a GPU."""

    HALF = {functional.linear, functional.conv2d, functional.scaled_dot_product_attention}
    WHOLE = {functional.group_norm, functional.layer_norm}

    def __init__(self, autocast):
        super().__init__()
        self.autocast = autocast

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, dtype = kwargs or {}, torch.float16 if func in self.HALF else torch.float32
        if self.autocast and func in self.HALF | self.WHOLE:
            args = [_to(dtype, value) for value in args]
            kwargs = {name: _to(dtype, value) for name, value in kwargs.items()}
        if func is functional.scaled_dot_product_attention:
            return _Attention.apply(*args)
        return func(*args, **kwargs)


def kept_bytes(step, parameters):
    """Return the bytes that autograd keeps for the backward pass of step(), each storage once."""
    own, kept = {parameter.untyped_storage()._cdata for parameter in parameters}, {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no other gets its number
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(storage.nbytes() for storage in kept.values())


def sd15():
    """Return a denoiser of Stable Diffusion 1.5's shape."""
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def count(batch_size, autocast=False, checkpointing=False, side=SIZE // 8, make_unet=sd15, **changed):
    """Return the bytes kept at a batch size.

    Args:
        autocast: count a step as it would be within torch.autocast instead.
        side: of the square latents.
        changed: values of the block train.
    """
    config = read_params(PROFILE.read_text(encoding="utf-8")).train.model_copy(update=changed)
    with torch.device("meta"), patch("torch.is_autocast_enabled", return_value=False):  # which knows no such device
        unet = make_unet().requires_grad_(False).half()
        if checkpointing:
            unet.enable_gradient_checkpointing()
        dimension = unet.config.cross_attention_dim
        latents, timesteps = torch.zeros(batch_size, 4, side, side), torch.zeros(batch_size, dtype=torch.int64)
        embeds, weights = torch.zeros(batch_size, 77, dimension), torch.ones(batch_size)
        on_it = SimpleNamespace(device=unet.device, num_processes=1, prepare_optimizer=lambda optimizer: optimizer)
        training = Training(unet, DDPMScheduler(), TrainingData(None, embeds[0], 0.18215), config, on_it)

        def step():
            predict = (lambda *given: unet(*given).sample) if autocast else training.objective.noise_pred
            return (squared_errors(predict(latents, timesteps, embeds), latents) * weights).mean()

        with OnAGpu(autocast):
            return kept_bytes(step, unet.parameters())


def main():
    ways = {
        "as it trains": {},
        "with `lora_dropout`": {"lora_dropout": 0.1},
        "with `gradient_checkpointing`": {"checkpointing": True},
        "the same within torch.autocast": {"autocast": True},
    }
    counted = {
        way: {str(batch_size): round(count(batch_size, **given) / 1e9, 2) for batch_size in BATCH_SIZES}
        for way, given in ways.items()
    }
    result = {"size": SIZE, "dtype": "float16", "gb_of_batch_size": counted}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
