"""The optimizers and learning-rate schedules that train.optimizer and train.lr_scheduler name."""

import contextlib
import io

import torch
from diffusers.optimization import get_scheduler
from prodigyopt import Prodigy

from gentra_lora.errors import InputError


class OptimizerError(InputError):
    """An optimizer that cannot be used here; the message names the key of params.yaml and the way out."""


def make_optimizer(name, parameters, learning_rate, weight_decay):
    """Return a torch optimizer.

    Args:
        name: "adamw", "adamw8bit" (bitsandbytes) or "prodigy", which finds its step size by itself (Mishchenko and
            Defazio 2023, arXiv 2306.06101); its learning rate is a factor, usually 1.

    Raises:
        OptimizerError: bitsandbytes is not there, or sees no GPU.
    """
    options = {"lr": learning_rate, "weight_decay": weight_decay}
    if name == "adamw":
        return torch.optim.AdamW(parameters, **options, fused=True)
    if name == "adamw8bit":
        return _adamw_8bit()(parameters, **options)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells its way of weight decay
        return Prodigy(parameters, **options, use_bias_correction=True, safeguard_warmup=True)


def _adamw_8bit():
    if not torch.cuda.is_available():
        raise OptimizerError("train.optimizer: adamw8bit needs an NVIDIA GPU, and there is none; set adamw")
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise OptimizerError(
            "train.optimizer: adamw8bit needs bitsandbytes: pip install bitsandbytes, or set adamw"
        ) from error
    return AdamW8bit


def make_lr_scheduler(name, optimizer, warmup_steps, steps, restarts):
    """Return a learning-rate schedule: "constant", "linear", "cosine" or "cosine_with_restarts", after a warmup."""
    return get_scheduler(
        {"constant": "constant_with_warmup"}.get(name, name),
        optimizer,
        num_warmup_steps=warmup_steps,
        num_training_steps=steps,
        num_cycles=restarts,
    )
