"""The forward and backward of a module with LoRA in as few operations as they take, instead of peft's.

Values are peft's but for the order of float additions. Of a training step of the nano base on a CPU it saves a fifth:
there the many small operations around the frozen weights cost nearly as much as the frozen weights themselves. Of
each value that dropout may take, a byte is kept for backward instead of five.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch.nn import functional

from gentra_lora.adapter.lora import NAME

_convolution_backward = torch.ops.aten.convolution_backward
_PLAIN = {"dilation": (1, 1), "transposed": False, "output_padding": (0, 0), "groups": 1}


def fuse(unet: torch.nn.Module) -> None:
    """Let every adapted module of `unet` compute y = W x + b + scale * B (A x) through the functions below.

    While it trains, dropout sets a share of the x before A to zero and divides the rest by what is left, as peft does.

    The adapter's weights stay where peft has put them. The modules' inputs come in the frozen weights' dtype, and all
    is computed in it; gradients arrive at the adapter in its own.
    """
    for module in unet.modules():
        if isinstance(module, LoraLayer) and NAME in module.lora_A:
            module.forward = _forward_of(module)


def _forward_of(module: LoraLayer) -> Callable[[torch.Tensor], torch.Tensor]:
    base: torch.nn.Linear | torch.nn.Conv2d = module.get_base_layer()  # type: ignore[assignment]  # all targets are
    scale, down, up = module.scaling[NAME], module.lora_A[NAME], module.lora_B[NAME]
    pointwise = isinstance(base, torch.nn.Linear) or base.kernel_size == (1, 1) and base.stride == (1, 1)
    function = _Linear if pointwise else _Convolution
    place = () if pointwise else (base.stride, base.padding)
    share = getattr(module.lora_dropout[NAME], "p", 0.0)  # peft has an Identity for none

    def forward(x: torch.Tensor) -> torch.Tensor:
        dtype, dropout = base.weight.dtype, share if base.training else 0.0
        factors = down.weight.to(dtype), up.weight.to(dtype)
        given = x.to(dtype), base.weight, base.bias, *factors, scale / (1 - dropout), dropout, *place
        if not torch.is_autocast_enabled(x.device.type):
            return function.apply(*given)
        with torch.autocast(x.device.type, enabled=False):
            return function.apply(*given)

    return forward


class _Linear(torch.autograd.Function):
    """For x (..., in) with weights of two dimensions, and for x (B, in, H, W) with 1 x 1 convolutions."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
        dropout: float,
    ) -> torch.Tensor:
        ctx.shape, ctx.scale, ctx.pictures = x.shape, scale, weight.ndim == 4
        rows = _rows(x) if ctx.pictures else x.reshape(-1, x.shape[-1])  # (N, in)
        if ctx.pictures:
            weight, down, up = weight.flatten(1), down.flatten(1), up.flatten(1)
        kept = _kept(rows, dropout)
        inner = functional.linear(_of(rows, kept), down)  # (N, rank)
        y = functional.linear(rows, weight, bias).addmm_(inner, up.T, alpha=scale)
        ctx.save_for_backward(rows, kept, inner, weight, down, up)
        return _pictures(y, x.shape) if ctx.pictures else y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, kept, inner, weight, down, up = ctx.saved_tensors
        dy = _rows(dy) if ctx.pictures else dy.reshape(-1, dy.shape[-1])  # (N, out)
        dinner = (dy @ up).mul_(ctx.scale)  # (N, rank)
        ddown, dup, dx = dinner.T @ _of(rows, kept), (dy.T @ inner).mul_(ctx.scale), None
        if ctx.needs_input_grad[0]:
            dx = dy @ weight
            dx = dx.addmm_(dinner, down) if kept is None else dx.add_(_of(dinner @ down, kept))
            dx = _pictures(dx, ctx.shape) if ctx.pictures else dx.view(ctx.shape)
        if ctx.pictures:
            ddown, dup = ddown[:, :, None, None], dup[:, :, None, None]
        return dx, None, None, ddown, dup, None, None


class _Convolution(torch.autograd.Function):
    """For x (B, in, H, W): `down` is as large as the frozen kernel, `up` is 1 x 1 and thus a product of matrices."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
        dropout: float,
        stride: tuple[int, ...],
        padding: tuple[int, ...] | str,
    ) -> torch.Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        y = functional.conv2d(x, weight, bias, stride, padding).contiguous(memory_format=torch.channels_last)
        kept = _kept(x, dropout)
        inner = _rows(functional.conv2d(_of(x, kept), down, None, stride, padding))  # (N, rank)
        y.permute(0, 2, 3, 1).view(-1, y.shape[1]).addmm_(inner, up.flatten(1).T, alpha=scale)  # into y itself
        ctx.save_for_backward(x, kept, inner, weight, down, up)
        ctx.scale, ctx.place = scale, {"stride": stride, "padding": padding} | _PLAIN
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, kept, inner, weight, down, up = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dup = (_rows(dy).T @ inner).mul_(ctx.scale).view_as(up)
        dinner = _pictures((_rows(dy) @ up.flatten(1)).mul_(ctx.scale), dy.shape)
        needed = ctx.needs_input_grad[0]
        mask = [needed, True, False]
        dx, ddown, _ = _convolution_backward(dinner, _of(x, kept), down, None, **ctx.place, output_mask=mask)
        if needed:
            mask = [True, False, False]
            dx = _of(dx, kept).add_(_convolution_backward(dy, x, weight, None, **ctx.place, output_mask=mask)[0])
        return dx, None, None, ddown, dup, None, None, None, None


def _kept(x: torch.Tensor, dropout: float) -> torch.Tensor | None:
    """Return which values of `x` are left, a byte each; None where all are."""
    return torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - dropout) if dropout else None


def _of(x: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    return x if kept is None else x * kept


def _rows(x: torch.Tensor) -> torch.Tensor:
    """Return (B, C, H, W) as (B * H * W, C); a view where x is channels_last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _pictures(rows: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return (B * H * W, C) as (B, C, H, W) of `shape`'s B, H and W; channels_last."""
    return rows.view(shape[0], *shape[2:], -1).permute(0, 3, 1, 2)
