from types import SimpleNamespace

import pytest
import torch

from gentra_lora.training import between_steps
from gentra_lora.training.between_steps import BetweenSteps, result_of
from gentra_lora.training.held_out import banded, held_out_errors
from gentra_lora.training.run import TrainingError
from tests.conftest import cached_photos
from tests.training.test_run import training, weights


class Shown(list):
    """Stands where Progress does, and keeps its lines."""

    show = list.append

    def step_done(self, entry):
        self.append(entry)


class Samples:
    """Stands where Samples does: draws nothing, notes when."""

    def __init__(self, every, failure=None):
        self.every, self.failure, self.drawn = every, failure, []

    def draw(self, run):
        self.drawn.append(run.step)
        return self.failure

    def keep_adapter(self, step, tensors, metadata):
        self.adapters = [*getattr(self, "adapters", []), (step, metadata["gentra.steps"])]


@pytest.fixture
def saved(monkeypatch):
    steps = []
    monkeypatch.setattr(between_steps, "save_checkpoint", lambda folder, step, *rest: steps.append(step))
    return steps


def duties(tmp_path, run, samples=None):
    held_out = cached_photos(2, crops=1)
    return BetweenSteps(run, held_out, tmp_path, samples, {"format": "pt"}, Shown())


def go(between, count):
    between.measure_base()
    for _ in range(count):
        between.after(between.training.run_step())


def test_each_duty_is_done_at_its_own_pace_and_all_at_the_end(tmp_path, saved):
    run = training(steps=7, held_out_every=2, checkpoint_every=3)
    samples = Samples(every=5)
    go(duties(tmp_path, run, samples), 7)
    assert [step + 1 for step, entry in enumerate(run.history) if "held_out" in entry] == [2, 4, 6, 7]
    assert saved == [3, 6, 7]
    assert samples.drawn == [5, 7]
    assert samples.adapters == [(5, "5"), (7, "7")]


def test_duties_change_no_weight_and_no_later_step(tmp_path, saved):
    often, never = (training(steps=9, held_out_every=n, checkpoint_every=n, ema_decay=0.9) for n in (1, 99))
    torch.manual_seed(1)
    go(duties(tmp_path, often, Samples(every=1)), 8)
    go(duties(tmp_path, never), 8)
    for a, b in zip(weights(often).values(), weights(never).values(), strict=True):
        assert all(torch.equal(one, other) for one, other in zip(a, b, strict=True))
    assert [entry["loss"] for entry in often.history] == [entry["loss"] for entry in never.history]


def test_request_to_stop_saves_at_once(tmp_path, saved):
    run = training(steps=9, checkpoint_every=99)
    between = duties(tmp_path, run)
    go(between, 2)
    run.stop_asked = lambda: True
    between.after(run.run_step())
    assert saved == [3]


def test_failed_sample_is_told_with_its_step_and_reason(tmp_path, saved):
    run = training(steps=9)
    between = duties(tmp_path, run, Samples(every=2, failure=RuntimeError("no memory\nlong story")))
    go(between, 2)
    assert "step 2: no sample pictures (RuntimeError: no memory); training goes on" in between.progress


def test_held_out_loss_is_measured_on_the_averaged_weights(tmp_path, saved):
    run = training(steps=9, held_out_every=4, learning_rate=0.05, ema_decay=0.9)
    between = duties(tmp_path, run)
    go(between, 4)
    with run.kept.in_place():
        wanted = banded(held_out_errors(run.unet, run.noise_scheduler, between.held_out, 0.5))
    live = banded(held_out_errors(run.unet, run.noise_scheduler, between.held_out, 0.5))
    assert run.history[3]["held_out"] == wanted != live


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_base_whose_own_held_out_loss_is_not_finite_is_refused_before_the_first_step(tmp_path, monkeypatch, number):
    run = training()
    monkeypatch.setattr(between_steps, "held_out_errors", lambda *_: torch.full((2, 9), float(number)))
    told = rf"the held-out loss is {number} \(the base's own, before the first step\); set base\.mixed_precision to no"
    with pytest.raises(TrainingError, match=told):
        duties(tmp_path, run).measure_base()


def test_result_is_that_of_the_weights_that_are_exported():
    history = [{"held_out_base": {"whole": 0.9}}, {"held_out": {"whole": 0.3}}, {"held_out": {"whole": 0.4}}]
    best = {"step": 2, "held_out": 0.3}
    for keep, steps, loss in (("last", "3", "0.400000"), ("best", "2", "0.300000")):
        run = SimpleNamespace(
            history=history, step=3, kept=SimpleNamespace(best=best), config=SimpleNamespace(keep=keep, steps=3)
        )
        header = result_of(run, {})
        assert (header["gentra.steps"], header["gentra.held_out_loss"]) == (steps, loss)
        assert header["gentra.held_out_loss_base"] == "0.900000"
