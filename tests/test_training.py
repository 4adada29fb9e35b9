import io

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from conftest import demo_values, make_unet
from diffusers import DDPMScheduler

from gentra_lora.held_out import held_out_errors
from gentra_lora.latents import CachedPhotos
from gentra_lora.params import Train
from gentra_lora.training import Training, TrainingData, TrainingError


def photos(count=5, crops=2):
    generator = torch.Generator().manual_seed(4)
    return CachedPhotos(
        [f"{n}.png" for n in range(count)],
        [f"digest{n}" for n in range(count)],
        list(torch.randn(count, crops, 4, 16, 16, generator=generator)),
        list(torch.rand(count, crops, 4, 16, 16, generator=generator) * 0.1),
        torch.randn(count, 40, 32, generator=generator),
    )


def config(**changed):
    values = demo_values()["train"] | {"rank": 4, "lora_alpha": 2, "steps": 20, "lr_warmup_steps": 2, "batch_size": 2}
    return Train.model_validate(values | changed)


def training(**changed):
    unet = make_unet().requires_grad_(False)
    data = TrainingData(photos(), torch.zeros(40, 32), 0.5)
    return Training(unet, DDPMScheduler(beta_schedule="scaled_linear"), data, config(**changed), Accelerator())


def weights(run):
    return {name: (module.down.detach().clone(), module.up.detach().clone()) for name, module in run.modules().items()}


def same(a, b, **tolerance):
    for name in a:
        for one, other in zip(a[name], b[name], strict=True):
            torch.testing.assert_close(one, other, **tolerance)


def test_steps_lower_the_loss_on_the_photos():
    run = training(steps=60, learning_rate=0.01, caption_dropout=0.0)
    before = held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5).mean()
    for _ in range(60):
        run.run_step()
    assert held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5).mean() < before - 0.01


def test_photos_of_several_buckets_are_trained_on_in_turn():
    run = training(steps=10)
    for n, shape in ((1, (2, 4, 8, 24)), (3, (2, 4, 8, 24)), (4, (2, 4, 24, 8))):
        run.data.photos.mean[n], run.data.photos.std[n] = torch.zeros(shape), torch.ones(shape)
    for _ in range(5):
        run.run_step()
    assert all(entry["grad_norm"] > 0 for entry in run.history)


def test_base_weights_never_change():
    run = training(learning_rate=0.1)
    before = {name: p.clone() for name, p in run.unet.named_parameters() if not p.requires_grad}
    run.run_step()
    run.run_step()
    after = dict(run.unet.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_resumed_run_has_the_very_weights_of_an_uninterrupted_one():
    whole = training()
    for _ in range(8):
        whole.run_step()
    first = training()
    for _ in range(5):
        first.run_step()
    file = io.BytesIO()
    torch.save({"step": first.step, **first.state()}, file)
    file.seek(0)
    second = training()
    second.restore(torch.load(file, weights_only=True))
    for _ in range(3):
        second.run_step()
    same(weights(second), weights(whole), rtol=0, atol=0)
    assert second.history == whole.history


def test_accumulated_micro_batches_equal_one_large_batch():
    small = training(batch_size=1, gradient_accumulation_steps=4)
    large = training(batch_size=4, gradient_accumulation_steps=1)
    for _ in range(3):
        losses = small.run_step()["loss"], large.run_step()["loss"]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    same(weights(small), weights(large), rtol=1e-3, atol=1e-5)


def test_gradients_are_really_clipped():
    run = training(max_grad_norm=1e-3)
    norms = []
    original = run.optimizer.step

    def step():
        norms.append(torch.stack([p.grad.norm() for p in run.trainable]).norm().item())
        original()

    run.optimizer.step = step
    logged = run.run_step()["grad_norm"]
    assert logged > 1e-2
    assert norms == [pytest.approx(1e-3, rel=1e-2)]


def test_learning_rate_warms_up_and_falls_to_zero():
    run = training(steps=10, lr_warmup_steps=2, learning_rate=0.01)
    rates = [run.run_step()["learning_rate"] for _ in range(10)]
    assert rates[:3] == pytest.approx([0, 0.005, 0.01])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.001


def test_constant_rate_warms_up_too():
    run = training(steps=10, lr_warmup_steps=2, learning_rate=0.01, lr_scheduler="constant")
    assert [run.run_step()["learning_rate"] for _ in range(4)] == pytest.approx([0, 0.005, 0.01, 0.01])


def test_gradient_checkpointing_changes_no_weight():
    plain, saving = training(), training()
    saving.unet.enable_gradient_checkpointing()
    for _ in range(2):
        plain.run_step()
        saving.run_step()
    same(weights(saving), weights(plain))


def test_loss_that_is_not_finite_stops_the_run_with_step_and_photos():
    run = training()
    for mean in run.data.photos.mean:
        mean[:] = float("nan")
    with pytest.raises(TrainingError, match=r"step 0: the loss is nan \(photos \d\.png"):
        run.run_step()


def test_gradient_that_is_not_finite_reaches_no_weight():
    run = training()
    before = weights(run)
    run.trainable[0].register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(TrainingError, match=r"step 0: the gradient's norm is (nan|inf)"):
        run.run_step()
    same(weights(run), before, rtol=0, atol=0)


def test_bfloat16_base_trains_a_float32_adapter():
    AcceleratorState._reset_state()
    unet = make_unet().requires_grad_(False).to(torch.bfloat16)
    data = TrainingData(photos(), torch.zeros(40, 32), 0.5)
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    run = Training(unet, DDPMScheduler(beta_schedule="scaled_linear"), data, config(), accelerator)
    before = weights(run)
    run.run_step()
    run.run_step()
    assert {p.dtype for p in run.trainable} == {torch.float32}
    assert any(not torch.equal(before[name][0], module.down) for name, module in run.modules().items())
    assert held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5).isfinite().all()
    AcceleratorState._reset_state()


def test_held_out_loss_leaves_weights_mode_and_random_state():
    run = training()
    before, state = weights(run), torch.get_rng_state()
    held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5)
    same(weights(run), before, rtol=0, atol=0)
    assert run.unet.training
    assert torch.equal(torch.get_rng_state(), state)


def test_dropped_caption_trains_on_the_empty_prompt():
    always, never = training(caption_dropout=1.0), training(caption_dropout=0.0)
    always.data.photos.prompt_embeds[:] = 7.0
    never.data.photos.prompt_embeds[:] = 0.0
    same({"x": [torch.tensor(always.run_step()["loss"])]}, {"x": [torch.tensor(never.run_step()["loss"])]})
