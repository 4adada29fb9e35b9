"""Which of a training's weights are measured and exported: the live ones or their mean, of the last or best step."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import torch
from diffusers.models import UNet2DConditionModel
from diffusers.training_utils import EMAModel

from gentra_lora.adapter.lora import LoraModule, lora_modules


class Best(TypedDict):
    """The lowest held-out loss so far."""

    step: int
    held_out: float
    adapter: dict[str, list[torch.Tensor]] | None  # {module path: [down, up]}, where the best step's is kept


class KeptWeights:
    """The weights to keep.

    Args:
        unet: the denoiser with the adapter.
        trainable: the adapter's parameters.
        ema_decay: of the exponential moving mean of the weights; None for the weights themselves.
        keep: "last", or "best" for those of the lowest held-out loss.
    """

    def __init__(
        self, unet: UNet2DConditionModel, trainable: list[torch.nn.Parameter], ema_decay: float | None, keep: str
    ) -> None:
        self.unet, self.trainable, self.keep = unet, trainable, keep
        self.ema = EMAModel(trainable, ema_decay, foreach=True) if ema_decay else None
        self.best: Best | None = None

    def average(self) -> None:
        """Take the weights of a finished update into the mean."""
        if self.ema:
            self.ema.step(self.trainable)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the denoiser the weights to measure, the mean if there is one; not to be nested."""
        if self.ema:
            self.ema.store(self.trainable)
            self.ema.copy_to(self.trainable)
        try:
            yield
        finally:
            if self.ema:
                self.ema.restore(self.trainable)

    def note(self, step: int, held_out: float) -> None:
        """Remember the step, and where they are to be kept the weights, of the lowest held-out loss.

        One that is not finite is none: nothing is lower than NaN, which would stay the best for ever.
        """
        if math.isfinite(held_out) and (self.best is None or held_out < self.best["held_out"]):
            adapter = self._copy() if self.keep == "best" else None
            self.best = {"step": step, "held_out": held_out, "adapter": adapter}

    def final(self) -> dict[str, LoraModule]:
        """Return copies of the weights to export, by module path."""
        best = self.best["adapter"] if self.best else None
        adapter = best if self.keep == "best" else self._copy()
        if adapter is None:
            raise RuntimeError("no finite held-out loss was measured, so that no step is the best one")
        return {name: LoraModule(*factors) for name, factors in adapter.items()}

    def _copy(self) -> dict[str, list[torch.Tensor]]:
        with self.in_place():
            modules = lora_modules(self.unet)
            return {
                name: [module.down.detach().clone(), module.up.detach().clone()] for name, module in modules.items()
            }

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"ema": self.ema.state_dict() if self.ema else None, "best": self.best}

    def restore(self, saved: Mapping[str, Any], device: torch.device) -> None:
        """Continue from a checkpoint's state."""
        self.best = saved["best"]
        if self.ema:
            self.ema.load_state_dict(saved["ema"])
            self.ema.to(device)
