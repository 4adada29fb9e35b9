import pytest
import torch

from gentra_lora.adapter.fused import _Convolution, _Linear, fuse
from gentra_lora.adapter.lora import attach_adapter, lora_modules
from tests.adapter.test_lora import inputs
from tests.conftest import make_unet


def outcome(fused, dtype=torch.float32, checkpointing=False, dropout=0.0):
    """Return noise_pred and the adapter's gradients of one forward and backward, with peft's modules or fused ones."""
    unet = make_unet().requires_grad_(False).to(dtype)
    trainable = attach_adapter(unet, 4, 8, "attention+ff+conv", seed=1, dropout=dropout)
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


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradient_checkpointing_changes_nothing(dropout):
    plain, checkpointing = (outcome(True, checkpointing=on, dropout=dropout) for on in (False, True))
    (_, gradients), (_, ours) = plain, checkpointing
    for mine, plain in zip(ours, gradients, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def answers_with_dropout(fused, count=2000):
    """Return mean and spread of an adapted module's answers to ones, and their spread once training is over."""
    unet = make_unet().requires_grad_(False)
    attach_adapter(unet, 4, 8, "attention", seed=1, dropout=0.5)
    if fused:
        fuse(unet)
    name, factors = next(iter(lora_modules(unet).items()))
    factors.up.data.fill_(0.1)
    module, x = unet.get_submodule(name).train(), torch.ones(count, factors.down.shape[1])
    torch.manual_seed(4)
    return module(x).mean(0), module(x).std(0), module.eval()(x).std(0)


def test_dropout_leaves_out_inputs_of_the_adapter_as_peft_does_while_it_trains_alone():
    (mean, spread, off), (wanted, width, _) = answers_with_dropout(fused=True), answers_with_dropout(fused=False)
    torch.testing.assert_close(mean, wanted, rtol=0, atol=0.1 * float(width.mean()))
    torch.testing.assert_close(spread, width, rtol=0.1, atol=0)
    assert spread.min() > 0 and off.max() < 1e-6


def test_half_precision_base_gives_float32_gradients_near_those_of_float32():
    (wanted, gradients), (found, ours) = outcome(fused=True), outcome(fused=True, dtype=torch.bfloat16)
    assert found.dtype == torch.bfloat16
    assert {gradient.dtype for gradient in ours} == {torch.float32}
    assert (found.float() - wanted).norm() < 0.05 * wanted.norm()
    whole, half = (torch.cat([g.flatten() for g in some]) for some in (gradients, ours))
    assert torch.cosine_similarity(whole, half, dim=0) > 0.99


def values(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def seeded(function, *given):
    """Return a function of x, down and up that drops the same inputs each time."""

    def call(x, down, up):
        torch.manual_seed(3)
        return function.apply(x, *given[:2], down, up, *given[2:])

    return call


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("x", [(2, 3, 5), (2, 5, 3, 4)], ids=["linear", "1x1 convolution"])
def test_linear_backward_is_the_derivative(x, bias, dropout):
    kernel = (1, 1) if len(x) == 4 else ()
    channels = x[1] if kernel else x[-1]
    down, up = values(2, channels, *kernel).requires_grad_(), values(6, 2, *kernel).requires_grad_()
    frozen = values(6, channels, *kernel), values(6) if bias else None
    given = values(*x).requires_grad_(), down, up
    assert torch.autograd.gradcheck(seeded(_Linear, *frozen, 0.5, dropout), given)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_backward_is_the_derivative(stride, dropout):
    down, up = values(2, 3, 3, 3).requires_grad_(), values(4, 2, 1, 1).requires_grad_()
    frozen = values(4, 3, 3, 3), values(4)
    place = (stride, stride), (1, 1)
    given = values(2, 3, 6, 5).requires_grad_(), down, up
    assert torch.autograd.gradcheck(seeded(_Convolution, *frozen, 0.5, dropout, *place), given)


def test_input_that_needs_no_gradient_gets_none():
    x, down, up = values(2, 3, 6, 5), values(2, 3, 3, 3).requires_grad_(), values(4, 2, 1, 1).requires_grad_()
    _Convolution.apply(x, values(4, 3, 3, 3), None, down, up, 0.5, 0.0, (1, 1), (1, 1)).sum().backward()
    assert x.grad is None
    assert down.grad is not None
