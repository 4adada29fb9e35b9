import io

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers import DDPMScheduler

from bench.activations import count
from gentra_lora.adapter.lora import LoraModule, attach_adapter, lora_modules
from gentra_lora.params import Train
from gentra_lora.training.batches import TrainingData
from gentra_lora.training.held_out import held_out_errors
from gentra_lora.training.run import MOST_SKIPPED, Training, TrainingError
from gentra_lora.training.sampling import predictions_of_step
from tests.conftest import cached_photos, demo_values, make_unet
from tests.random_latents import cached_predictions


def config(**changed):
    values = demo_values()["train"] | {"rank": 4, "lora_alpha": 2, "steps": 20, "lr_warmup_steps": 2, "batch_size": 2}
    values |= {"prior_weight": 0.0, "held_out_every": 5}
    return Train.model_validate(values | changed)


def training(photos=None, prior=None, dtype=torch.float32, accelerator=None, **changed):
    unet = make_unet().requires_grad_(False).to(dtype)
    data = TrainingData(photos or cached_photos(), torch.zeros(40, 32), 0.5, prior)
    scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    return Training(unet, scheduler, data, config(**changed), accelerator or Accelerator())


class WithScaler(Accelerator):
    """Scales gradients as accelerate does for float16 on a GPU; on a CPU it knows no float16 and makes no scaler."""

    mixed_precision = "fp16"

    def __init__(self, scale=65536.0):
        super().__init__(cpu=True)
        self.scaler, self.native_amp = torch.amp.GradScaler("cpu", init_scale=scale), True


def steps(run, count):
    return [run.run_step() for _ in range(count)]


def weights(run):
    return {
        name: (module.down.detach().clone(), module.up.detach().clone())
        for name, module in lora_modules(run.unet).items()
    }


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
    shapes = {1: (2, 4, 8, 24), 3: (2, 4, 8, 24), 4: (2, 4, 24, 8)}

    def change(n, tensors):
        if n in shapes:
            tensors |= {"mean": torch.zeros(shapes[n]), "std": torch.ones(shapes[n])}

    run = training(cached_photos(change=change), steps=10)
    steps(run, 5)
    assert all(entry["grad_norm"] > 0 for entry in run.history)


def test_denoiser_that_was_moved_away_from_what_is_trained_is_an_error_not_a_run_without_effect():
    run = training()
    run.unet.to(torch.float64)
    with pytest.raises(RuntimeError, match="training would change nothing"):
        run.run_step()


def test_base_weights_never_change():
    run = training(learning_rate=0.09)
    before = {name: p.clone() for name, p in run.unet.named_parameters() if not p.requires_grad}
    run.run_step()
    run.run_step()
    after = dict(run.unet.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"optimizer": "prodigy", "learning_rate": 1.0},
        {"ema_decay": 0.9},
        {"lora_dropout": 0.3},
        {"noise_offset": 0.1, "timesteps": "uniform"},
        {"keep": "best"},
    ],
    ids=str,
)
def test_resumed_run_has_the_very_weights_of_an_uninterrupted_one(changed):
    def trained(run, count):
        for _ in range(count):
            run.run_step()
            run.kept.note(run.step, 1.0 / (1 + run.step % 5))
        return run

    whole, first, second = (training(**changed) for _ in range(3))
    trained(whole, 8)
    file = io.BytesIO()
    torch.save({"step": 5, **trained(first, 5).state()}, file)
    torch.manual_seed(77)
    file.seek(0)
    second.restore(torch.load(file, weights_only=True))
    trained(second, 3)
    same(weights(second), weights(whole), rtol=0, atol=0)
    finals = [{name: (m.down, m.up) for name, m in run.kept.final().items()} for run in (second, whole)]
    same(*finals, rtol=0, atol=0)
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


def test_prodigys_rate_is_the_schedules_times_the_step_size_that_it_has_found():
    run = training(lr_warmup_steps=0, optimizer="prodigy", learning_rate=0.5, lr_scheduler="constant")
    assert run.run_step()["learning_rate"] == pytest.approx(0.5e-6)  # it starts with a d of 1e-6
    run.optimizer.param_groups[0]["d"] = 1e-3
    assert run.run_step()["learning_rate"] == pytest.approx(0.5e-3)


def test_gradient_checkpointing_changes_no_weight():
    plain, saving = training(), training()
    saving.unet.enable_gradient_checkpointing()
    for _ in range(2):
        plain.run_step()
        saving.run_step()
    same(weights(saving), weights(plain))


def with_nan_in(photo):
    def change(n, tensors):
        if n == photo:
            tensors["mean"][:] = float("nan")

    return cached_photos(change=change)


def test_step_with_a_loss_that_is_not_finite_is_left_out_and_the_others_go_on():
    run = training(with_nan_in(2), batch_size=1)
    before, left_out = None, []
    for _ in range(10):
        before = weights(run)
        entry = run.run_step()
        if entry["loss"] is None:
            left_out.append(run.step)
            same(weights(run), before, rtol=0, atol=0)
    assert len(left_out) == run.skipped == 2  # each epoch of five photos shows it once
    assert entry["learning_rate"] < run.history[3]["learning_rate"]  # the schedule goes on
    assert all(tensor.isfinite().all() for pair in weights(run).values() for tensor in pair)


def spoil(run, value):
    """Let one weight's gradient be a value that is not finite, from now on."""
    next(iter(lora_modules(run.unet).values())).down.register_hook(lambda grad: grad * float(value))


def test_gradient_that_is_not_finite_reaches_no_weight():
    run = training()
    before = weights(run)
    spoil(run, "inf")
    assert run.run_step()["grad_norm"] is None
    same(weights(run), before, rtol=0, atol=0)


def test_ten_such_steps_in_a_row_stop_the_run_with_step_loss_timesteps_and_photos():
    def change(_, tensors):
        tensors["mean"][:] = float("nan")

    run = training(cached_photos(change=change))
    steps(run, MOST_SKIPPED - 1)
    with pytest.raises(
        TrainingError, match=r"step 9: the loss is nan .*10 steps in a row \(photos \d\.png, .*timesteps"
    ):
        run.run_step()


def test_nine_of_them_do_not_when_a_good_one_comes_between():
    run = training()
    run.history = [{"loss": None, "grad_norm": None, "learning_rate": 0.1}] * 9
    run.run_step()
    spoil(run, "nan")
    assert run.run_step()["loss"] is None


def test_bfloat16_base_trains_a_float32_adapter():
    AcceleratorState._reset_state()
    unet = make_unet().requires_grad_(False).to(torch.bfloat16)
    data = TrainingData(cached_photos(), torch.zeros(40, 32), 0.5)
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    run = Training(unet, DDPMScheduler(beta_schedule="scaled_linear"), data, config(), accelerator)
    before = weights(run)
    run.run_step()
    run.run_step()
    assert {p.dtype for p in run.trainable} == {torch.float32}
    assert any(not torch.equal(before[name][0], module.down) for name, module in lora_modules(run.unet).items())
    assert held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5).isfinite().all()
    AcceleratorState._reset_state()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("lora_dropout", [0.0, 0.1])
def test_gradient_of_a_base_in_half_precision_points_where_that_of_float32_does(dtype, lora_dropout):
    def gradient(base_dtype):
        run = training(dtype=base_dtype, lora_dropout=lora_dropout)
        for module in lora_modules(run.unet).values():  # a new adapter's B is zero, and the gradient of A with it
            module.up.data.copy_(torch.linspace(-0.1, 0.1, module.up.numel()).view_as(module.up))
        run._add_gradients([run._photos(run._draw())])
        assert run.trainable[0].grad.dtype == torch.float32
        return run.trainable[0].grad

    assert torch.cosine_similarity(gradient(dtype), gradient(torch.float32), dim=0) >= 0.999


def movement(count, dtype, accelerator=None):
    run = training(dtype=dtype, accelerator=accelerator, steps=count, target_modules="attention+ff")
    before = run.trainable[0].detach().clone()
    steps(run, count)
    assert run.skipped == 0
    return run.trainable[0].detach() - before


def test_weights_move_alike_in_half_precision_and_in_float32_over_many_steps():
    whole = movement(20, torch.float32)
    for dtype, accelerator, least in ((torch.float16, WithScaler(), 0.9999), (torch.bfloat16, None, 0.998)):
        half = movement(20, dtype, accelerator)
        assert torch.cosine_similarity(half, whole, dim=0) >= least
        assert float(half.norm()) == pytest.approx(float(whole.norm()), rel=0.005)


def test_updates_that_a_scale_too_high_left_out_are_made_up_by_a_lower_one():
    run = training(dtype=torch.float16, accelerator=WithScaler(2.0**22))
    steps(run, 8)
    assert [entry["loss"] is None for entry in run.history] == [True] * 4 + [False] * 4
    assert run.accelerator.scaler.get_scale() == 2.0**18
    assert all(tensor.isfinite().all() for pair in weights(run).values() for tensor in pair)


def test_backward_keeps_less_than_within_autocast_and_dropout_takes_a_byte_of_each_input():
    shape = {"batch_size": 2, "side": 16, "make_unet": make_unet, "target_modules": "attention+ff"}
    now, within = count(**shape), count(**shape, autocast=True)
    assert count(**shape, checkpointing=True) < now < 0.8 * within
    inputs = []
    unet = make_unet()
    attach_adapter(unet, 4, 4, "attention+ff", seed=1)
    for name in lora_modules(unet):
        unet.get_submodule(name).register_forward_pre_hook(lambda _, given: inputs.append(given[0].numel()))
    unet(torch.zeros(2, 4, 16, 16), torch.zeros(2), torch.zeros(2, 77, 32))
    assert count(**shape, lora_dropout=0.1) - now == sum(inputs)


def test_held_out_loss_leaves_weights_mode_and_random_state():
    run = training()
    before, state = weights(run), torch.get_rng_state()
    held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5)
    same(weights(run), before, rtol=0, atol=0)
    assert run.unet.training
    assert torch.equal(torch.get_rng_state(), state)


def test_dropped_caption_trains_on_the_empty_prompt():
    def embeds(value):
        return cached_photos(change=lambda _, tensors: tensors["prompt_embeds"].fill_(value))

    always, never = training(embeds(7.0), caption_dropout=1.0), training(embeds(0.0), caption_dropout=0.0)
    assert always.run_step()["loss"] == pytest.approx(never.run_step()["loss"])


def test_lora_dropout_changes_the_step_and_reads_no_random_state():
    plain, one, two = training(), training(lora_dropout=0.5), training(lora_dropout=0.5)
    torch.manual_seed(1)
    steps(one, 3)
    torch.manual_seed(2)
    steps(two, 3)
    steps(plain, 3)
    same(weights(one), weights(two), rtol=0, atol=0)
    assert one.history[2]["loss"] != plain.history[2]["loss"]


def test_lora_dropout_of_photos_and_predictions_at_once_reads_no_random_state_either():
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        run = training(prior=base_predictions(), prior_weight=0.7, lora_dropout=0.5)
        steps(run, 2)
        runs.append(run.trainable[0].detach().clone())
    assert torch.equal(*runs)


def base_predictions():
    unet = make_unet()
    return cached_predictions(lambda *inputs: unet(*inputs).sample)


def test_prior_weight_without_base_predictions_is_refused():
    with pytest.raises(TrainingError, match=r"train.prior_weight: 0.5 needs the base's predictions.*prior_draws"):
        training(prior_weight=0.5).run_step()


def test_adapter_that_changes_nothing_yet_is_at_no_distance_from_the_base():
    plain, kept = training(prior_weight=0), training(prior=base_predictions(), prior_weight=5.0)
    assert kept.run_step()["loss"] == pytest.approx(plain.run_step()["loss"], rel=1e-6)


def test_step_adds_the_weighted_distance_to_the_predictions_that_it_drew():
    prior = cached_predictions(lambda noisy_latents, timesteps, embeds: torch.full_like(noisy_latents, 3.0))
    changed = {"prior_batch_size": 3, "loss_weighting": "none"}
    plain, kept = training(prior_weight=0, **changed), training(prior=prior, prior_weight=0.5, **changed)
    chosen, draws = predictions_of_step(kept.config.seed, 0, 3, prior)
    read = [prior.read(n, draw) for n, draw in zip(chosen.tolist(), draws.tolist(), strict=True)]
    noisy_latents, timesteps, _, embeds = (torch.stack(parts) for parts in zip(*read, strict=True))
    with torch.no_grad():
        distance = (make_unet()(noisy_latents, timesteps, embeds).sample - 3.0).square().mean()
    assert kept.run_step()["loss"] == pytest.approx(plain.run_step()["loss"] + 0.5 * float(distance), rel=1e-5)


def seen(run):
    """Return the batch sizes that the denoiser sees in a step, and the adapter's gradient in it."""
    for module in lora_modules(run.unet).values():  # a new adapter's B is zero, and the gradient of A with it
        module.up.data.copy_(torch.linspace(-0.1, 0.1, module.up.numel()).view_as(module.up))
    sizes, answer = [], run.unet.forward
    run.unet.forward = lambda latents, *rest: (sizes.append(len(latents)), answer(latents, *rest))[1]
    run.optimizer.zero_grad = lambda **_: None
    run.run_step()
    return sizes, run.trainable[0].grad


@pytest.mark.parametrize(
    "changed, wanted",
    [
        ({}, [3]),
        ({"gradient_accumulation_steps": 2}, [3, 2]),
        ({"prior_batch_size": 5}, [4, 2, 1]),
        ({"background_weight": 0.3}, [3]),
    ],
)
def test_on_a_cpu_photos_and_predictions_go_through_the_denoiser_at_once_with_the_gradient_of_one_after_the_other(
    changed, wanted
):
    runs, far = [], cached_predictions(lambda noisy_latents, *_: torch.full_like(noisy_latents, 3.0))
    for together in (True, False):
        values = {"prior_weight": 0.7, "max_grad_norm": 1e9} | changed
        run = training(masked_photos(0.2), far, **values)
        assert run.together
        run.together = together
        runs.append(seen(run))
    (sizes, gradient), (apart, reference) = runs
    assert sizes == wanted and sum(apart) == sum(wanted) and max(apart) == 2
    torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-7)


def test_photos_and_predictions_of_different_shapes_go_one_after_the_other():
    def wide(n, tensors):
        tensors.update({name: torch.cat([tensors[name]] * 2, dim=3) for name in ("mean", "std")})

    assert seen(training(cached_photos(change=wide), base_predictions(), prior_weight=0.7))[0] == [2, 1]


def test_preservation_holds_the_adapter_near_the_base_while_it_learns_the_photos():
    prior, runs = base_predictions(), []
    for weight in (0.0, 5.0):
        run = training(prior=prior, prior_weight=weight, steps=40, learning_rate=0.01, prior_batch_size=2)
        steps(run, 40)
        read = [prior.read(n, draw) for n in range(3) for draw in range(2)]
        noisy_latents, timesteps, noise_pred, embeds = (torch.stack(parts) for parts in zip(*read, strict=True))
        with torch.no_grad():
            runs.append(float((run.unet(noisy_latents, timesteps, embeds).sample - noise_pred).square().mean()))
    assert runs[1] < 0.5 * runs[0]


def test_loss_weighting_reaches_the_step():
    runs = [steps(training(loss_weighting=name), 4) for name in ("none", "min_snr")]
    assert len({tuple(entry["loss"] for entry in entries) for entries in runs}) == 2


def test_more_processes_than_a_batch_has_samples_are_refused(monkeypatch):
    monkeypatch.setattr(Accelerator, "num_processes", 4)
    with pytest.raises(TrainingError, match=r"train\.batch_size: 2 is too few for 4 processes"):
        training()


def masked_photos(value):
    """Return photos whose masks show the subject in the upper half, at a strength."""

    def change(_, tensors):
        tensors["mask"] = torch.zeros(2, 1, 16, 16)
        tensors["mask"][:, :, :8] = value

    return cached_photos(change=change)


def test_masks_change_nothing_at_a_background_weight_of_1():
    plain, masked = training(), training(masked_photos(1.0))
    steps(plain, 3)
    steps(masked, 3)
    same(weights(plain), weights(masked), rtol=0, atol=0)


def test_masks_change_the_step_at_a_lower_background_weight():
    runs = [training(photos, background_weight=0.1) for photos in (None, masked_photos(1.0))]
    losses = [steps(run, 3)[0]["loss"] for run in runs]
    assert losses[0] != losses[1]
    assert not torch.equal(runs[0].trainable[0], runs[1].trainable[0])


def test_photos_without_masks_are_all_subject():
    plain, weighted = training(), training(background_weight=0.1)
    assert [e["loss"] for e in steps(plain, 3)] == pytest.approx([e["loss"] for e in steps(weighted, 3)])


def test_held_out_loss_knows_no_masks():
    run = training(background_weight=0.1)
    found = [
        held_out_errors(run.unet, run.noise_scheduler, photos, 0.5) for photos in (cached_photos(), masked_photos(1.0))
    ]
    assert torch.equal(*found)


def started(**changed):
    first, second = training(lr_warmup_steps=0, learning_rate=0.01, **changed), training(lr_warmup_steps=0, **changed)
    steps(first, 3)
    held = {name: LoraModule(*factors) for name, factors in weights(first).items()}
    second.start_from(held, "ab12")
    return first, second


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_training_that_goes_on_from_an_adapter_begins_with_its_weights_and_draws_anew(ema_decay):
    first, second = started(ema_decay=ema_decay)
    same(weights(second), weights(first), rtol=0, atol=0)
    with second.kept.in_place():
        same(weights(second), weights(first), rtol=0, atol=0)
    assert second.step == 0
    assert second.run_step()["loss"] != training(lr_warmup_steps=0).run_step()["loss"]
    assert not torch.equal(second.trainable[0], first.trainable[0])


def test_base_is_what_it_was_while_the_adapter_is_off():
    _, second = started()
    before = weights(second)
    plain = training()
    with second.without_adapter():
        errors = [held_out_errors(run.unet, run.noise_scheduler, run.data.photos, 0.5) for run in (second, plain)]
    torch.testing.assert_close(*errors)
    same(weights(second), before, rtol=0, atol=0)
