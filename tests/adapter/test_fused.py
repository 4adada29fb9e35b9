import pytest
import torch

from gentra_lora.adapter.fused import _Convolution, _Linear, fuse
from gentra_lora.adapter.lora import attach_adapter, lora_modules
from tests.adapter.test_lora import inputs
from tests.conftest import make_unet


def outcome(fused, dtype=torch.float32, checkpointing=False):
    """Return noise_pred and the adapter's gradients of one forward and backward, with peft's modules or fused ones."""
    unet = make_unet().requires_grad_(False).to(dtype)
    trainable = attach_adapter(unet, 4, 8, "attention+ff+conv", seed=1)
    torch.manual_seed(2)
    with torch.no_grad():
        for module in lora_modules(unet).values():
            module.up.normal_(std=0.1)
    if fused:
        fuse(unet)
    if checkpointing:
        unet.enable_gradient_checkpointing()
    unet.train()
    noisy_latents, timesteps, prompt_embeds = inputs()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        noise_pred = unet(noisy_latents.to(dtype), timesteps, prompt_embeds.to(dtype)).sample
    noise_pred.float().square().mean().backward()
    return noise_pred, [parameter.grad for parameter in trainable]


def test_output_and_every_gradient_are_those_of_peft():
    (wanted, gradients), (found, ours) = outcome(fused=False), outcome(fused=True)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert len(ours) == len(gradients) > 0
    for mine, peft in zip(ours, gradients, strict=True):
        torch.testing.assert_close(mine, peft, rtol=1e-3, atol=1e-6)


def test_gradient_checkpointing_changes_nothing():
    (_, gradients), (_, ours) = outcome(fused=True), outcome(fused=True, checkpointing=True)
    for mine, plain in zip(ours, gradients, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-7)


def test_half_precision_base_gives_float32_gradients_near_those_of_float32():
    (wanted, gradients), (found, ours) = outcome(fused=True), outcome(fused=True, dtype=torch.bfloat16)
    assert found.dtype == torch.bfloat16
    assert {gradient.dtype for gradient in ours} == {torch.float32}
    assert (found.float() - wanted).norm() < 0.05 * wanted.norm()
    whole, half = (torch.cat([g.flatten() for g in some]) for some in (gradients, ours))
    assert torch.cosine_similarity(whole, half, dim=0) > 0.99


def values(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("x", [(2, 3, 5), (2, 5, 3, 4)], ids=["linear", "1x1 convolution"])
def test_linear_backward_is_the_derivative(x, bias):
    kernel = (1, 1) if len(x) == 4 else ()
    channels = x[1] if kernel else x[-1]
    down, up = values(2, channels, *kernel).requires_grad_(), values(6, 2, *kernel).requires_grad_()
    frozen = values(6, channels, *kernel), values(6) if bias else None
    assert torch.autograd.gradcheck(
        lambda x, down, up: _Linear.apply(x, *frozen, down, up, 0.5), (values(*x).requires_grad_(), down, up)
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_backward_is_the_derivative(stride):
    down, up = values(2, 3, 3, 3).requires_grad_(), values(4, 2, 1, 1).requires_grad_()
    frozen = values(4, 3, 3, 3), values(4)
    place = (stride, stride), (1, 1)
    assert torch.autograd.gradcheck(
        lambda x, down, up: _Convolution.apply(x, *frozen, down, up, 0.5, *place),
        (values(2, 3, 6, 5).requires_grad_(), down, up),
    )


def test_input_that_needs_no_gradient_gets_none():
    x, down, up = values(2, 3, 6, 5), values(2, 3, 3, 3).requires_grad_(), values(4, 2, 1, 1).requires_grad_()
    _Convolution.apply(x, values(4, 3, 3, 3), None, down, up, 0.5, (1, 1), (1, 1)).sum().backward()
    assert x.grad is None
    assert down.grad is not None
