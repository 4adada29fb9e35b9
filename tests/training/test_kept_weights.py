import pytest
import torch

from tests.training.test_run import same, training, weights


def test_averaged_weights_are_the_running_mean_and_the_live_ones_come_back():
    run = training(ema_decay=0.5, learning_rate=0.01)
    seen, mean = [], None
    for step in range(6):
        run.run_step()
        seen.append(run.trainable[0].detach().clone())
        decay = 0.0 if step == 0 else min(0.5, (1 + step) / (10 + step))  # diffusers' EMA starts quickly
        mean = seen[-1] if mean is None else decay * mean + (1 - decay) * seen[-1]
    with run.kept.in_place():
        torch.testing.assert_close(run.trainable[0].detach(), mean)
    assert torch.equal(run.trainable[0], seen[-1])
    assert not torch.allclose(mean, seen[-1])
    final = torch.cat([factor.flatten() for module in run.kept.final().values() for factor in (module.down, module.up)])
    torch.testing.assert_close(final, mean)


@pytest.mark.parametrize("first", [0.5, float("nan"), float("inf")])
@pytest.mark.parametrize(("keep", "wanted"), [("best", 2), ("last", 5)])
def test_kept_weights_are_those_of_the_named_step_and_never_those_of_a_loss_that_is_not_finite(keep, wanted, first):
    run, at = training(keep=keep), {}
    for loss in (first, 0.3, 0.4, float("nan"), 0.6):
        run.run_step()
        run.kept.note(run.step, loss)
        at[run.step] = weights(run)
    assert (run.kept.best["step"], run.kept.best["held_out"]) == (2, 0.3)
    same({name: (m.down, m.up) for name, m in run.kept.final().items()}, at[wanted], rtol=0, atol=0)


def test_best_weights_are_copied_only_where_they_are_kept():
    for keep in ("last", "best"):
        run = training(keep=keep)
        run.run_step()
        run.kept.note(run.step, 0.5)
        assert (run.kept.best["adapter"] is None) == (keep == "last")


def test_best_weights_are_refused_before_a_held_out_loss():
    with pytest.raises(RuntimeError, match="no finite held-out loss was measured"):
        training(keep="best").kept.final()
