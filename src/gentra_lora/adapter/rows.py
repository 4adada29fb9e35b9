"""An adapter on the denoiser with a strength for each picture of a batch.

peft keeps one strength in the modules themselves, so that pictures of different strengths cannot share a batch. Here
the frozen weights are never written to: an adapter is put on by one assignment, and taking it off leaves the very base.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from gentra_lora.adapter.file import PARTS, Tensors, module_names
from gentra_lora.adapter.lora import AdapterError

Adapted = torch.nn.Linear | torch.nn.Conv2d


@dataclass(frozen=True)
class Factors:
    """One module's part of an adapter: its delta is up @ down * scale."""

    down: torch.Tensor  # (rank, in, ...)
    up: torch.Tensor  # (out, rank, ...)
    scale: float  # alpha / rank


class RowAdapter:
    """The adapted modules of one denoiser."""

    def __init__(self, unet: torch.nn.Module) -> None:
        self._modules = {
            f"lora_unet_{name.replace('.', '_')}": module
            for name, module in unet.named_modules()
            if isinstance(module, Adapted)
        }
        self.factors: dict[str, Factors] = {}
        self._scales: torch.Tensor | float = 0.0
        self._merged: Tensors = {}
        self._merged_scale: float | None = None

    def fit(self, path: Path, tensors: Tensors) -> dict[str, Factors]:
        """Return {kohya module name: Factors} of an adapter file's tensors, for `use`; nothing changes yet.

        Raises:
            AdapterError: a module that the denoiser has not, or of another shape; names the first five.
        """
        stray = [key for key in module_names(tensors) if key not in self._modules]
        if stray:
            raise AdapterError(
                f"{path}: {len(stray)} of its modules are not in the base: {', '.join(stray[:5])}; take the base that "
                f"the adapter was trained on"
            )
        return {name: self._fitted(path, name, tensors) for name in module_names(tensors)}

    def _fitted(self, path: Path, name: str, tensors: Tensors) -> Factors:
        weight = self._modules[name].weight
        down, up, alpha = (tensors[f"{name}.{part}"] for part in PARTS)
        shape = (up.shape[0], *down.shape[1:])
        if shape != tuple(weight.shape) or up.shape[1:] != (down.shape[0], *[1] * (weight.ndim - 2)):
            raise AdapterError(
                f"{path}: {name} is for weights {shape} by factors {tuple(down.shape)} and {tuple(up.shape)}, and the "
                f"base has {tuple(weight.shape)}; take the base that the adapter was trained on"
            )
        scale = float(alpha) / down.shape[0]
        return Factors(down.to(weight.device, weight.dtype), up.to(weight.device, weight.dtype), scale)

    def use(self, factors: dict[str, Factors]) -> None:
        """Put an adapter on in place of the one before; {} is the base itself."""
        for name in self.factors:
            self._modules[name].__dict__.pop("forward", None)
        self.factors = factors
        self._merged, self._merged_scale = {}, None
        for name in factors:  # on the module itself, before that of its class
            self._modules[name].forward = self._forward_of(name)  # type: ignore[method-assign, assignment]

    @torch.no_grad()
    def set_scales(self, scales: Sequence[float]) -> None:
        """Set each row's strength, 0 being the base: a list as long as the batch that comes.

        Where all are one, it may be given once, and the adapted weights are computed once and kept beside the base's
        own, which costs their memory and saves the adapter's work in each step. Not in bfloat16: what an adapter adds
        is mostly less than half the last of its eight digits, and would be lost.
        """
        weight = next(iter(self._modules.values())).weight
        if len(set(scales)) > 1 or (scales[0] and weight.dtype is torch.bfloat16):
            self._scales = torch.tensor(scales, device=weight.device, dtype=weight.dtype)
            return
        self._scales = scales[0]
        if self._scales and self._scales != self._merged_scale:
            self._merged = {name: self._merge(name, self._scales) for name in self.factors}
            self._merged_scale = self._scales

    def _merge(self, name: str, scale: float) -> torch.Tensor:
        weight, of = self._modules[name].weight, self.factors[name]
        delta = (of.up.flatten(1).float() @ of.down.flatten(1).float()).view_as(weight)
        return torch.add(weight.float(), delta, alpha=scale * of.scale).to(weight.dtype)

    def _forward_of(self, name: str) -> Callable[[torch.Tensor], torch.Tensor]:
        module, of = self._modules[name], self.factors[name]
        # Of the module's own class, which mypy cannot know.
        base_forward: Callable[[Adapted, torch.Tensor], torch.Tensor] = type(module).forward  # type: ignore[assignment]

        def forward(x: torch.Tensor) -> torch.Tensor:
            if isinstance(self._scales, torch.Tensor):
                return base_forward(module, x) + _delta(module, of, x, self._scales * of.scale)
            if self._scales == 0:
                return base_forward(module, x)
            if isinstance(module, torch.nn.Linear):
                return functional.linear(x, self._merged[name], module.bias)
            return module._conv_forward(x, self._merged[name], module.bias)

        return forward


def _delta(module: Adapted, of: Factors, x: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Return what the adapter adds for x (B, ...), scales (B,); the strength is applied where the values are fewest."""
    scales = scales.view(-1, *[1] * (x.ndim - 1))
    if isinstance(module, torch.nn.Linear):
        return functional.linear(functional.linear(x, of.down) * scales, of.up)
    inner = functional.conv2d(x, of.down, None, module.stride, module.padding)
    return functional.conv2d(inner * scales, of.up)
