"""The optimizers and learning-rate schedules that train.optimizer and train.lr_scheduler name."""

import contextlib
import io
from collections.abc import Callable, Iterable
from importlib import import_module

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gentra_lora.errors import InputError

# Module, class and options of each; the last finds its step size by itself (Mishchenko and Defazio 2023,
# arXiv 2306.06101): its learning rate is a factor, usually 1.
OPTIMIZERS: dict[str, tuple[str, str, dict[str, bool]]] = {
    "adamw": ("torch.optim", "AdamW", {"fused": True}),
    "adamw8bit": ("bitsandbytes.optim", "AdamW8bit", {}),
    "prodigy": ("prodigyopt", "Prodigy", {"use_bias_correction": True, "safeguard_warmup": True}),
}


class OptimizerError(InputError):
    """An optimizer that cannot be used here; the message names the key of params.yaml and the way out."""


def package_of(name: str) -> str:
    """Return the package that an optimizer comes from."""
    return OPTIMIZERS[name][0].split(".")[0]


def find_optimizer(name: str) -> Callable[..., Optimizer]:
    """Return an optimizer's class.

    Raises:
        OptimizerError: its package is not installed, or it needs a GPU and there is none.
    """
    if name == "adamw8bit" and not torch.cuda.is_available():
        raise OptimizerError("train.optimizer: adamw8bit needs an NVIDIA GPU, and there is none; set adamw")
    module, kind, _ = OPTIMIZERS[name]
    try:
        found: Callable[..., Optimizer] = getattr(import_module(module), kind)
    except ImportError as error:
        package = package_of(name)
        raise OptimizerError(f"train.optimizer: {name} needs {package}: pip install {package}, or set adamw") from error
    return found


def make_optimizer(
    name: str, parameters: Iterable[torch.Tensor], learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return a torch optimizer, one of OPTIMIZERS.

    Raises:
        OptimizerError: as find_optimizer.
    """
    optimizer = find_optimizer(name)
    with contextlib.redirect_stdout(io.StringIO()):  # Prodigy tells its way of weight decay
        return optimizer(parameters, lr=learning_rate, weight_decay=weight_decay, **OPTIMIZERS[name][2])


def make_lr_scheduler(name: str, optimizer: Optimizer, warmup_steps: int, steps: int, restarts: int) -> LRScheduler:
    """Return a learning-rate schedule: "constant", "linear", "cosine" or "cosine_with_restarts", after a warmup."""
    from diffusers.optimization import get_scheduler  # seconds, which `doctor` does without

    return get_scheduler(
        {"constant": "constant_with_warmup"}.get(name, name),
        optimizer,
        num_warmup_steps=warmup_steps,
        num_training_steps=steps,
        num_cycles=restarts,
    )


def rate_of(optimizer: Optimizer) -> float:
    """Return the rate of the step at hand: of Prodigy the schedule's times the step size that it found, its d."""
    (group,) = optimizer.param_groups
    return float(group["lr"]) * float(group.get("d", 1.0))
