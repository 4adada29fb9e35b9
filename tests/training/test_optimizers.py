import sys
from typing import get_args, get_type_hints

import pytest
import torch

from gentra_lora.params import Train
from gentra_lora.training import optimizers
from gentra_lora.training.optimizers import (
    OPTIMIZERS,
    OptimizerError,
    find_optimizer,
    make_lr_scheduler,
    make_optimizer,
    package_of,
)


def parameters():
    return [torch.nn.Parameter(torch.full((3,), 0.5)) for _ in range(4)]


def rates(name, steps=12, warmup_steps=2, restarts=1):
    optimizer = torch.optim.SGD(parameters(), lr=1.0)
    schedule = make_lr_scheduler(name, optimizer, warmup_steps, steps, restarts)
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def test_adamw_moves_every_weight_by_the_learning_rate_at_first():
    some = parameters()
    optimizer = make_optimizer("adamw", some, 0.01, 0.0)
    for parameter in some:
        parameter.grad = torch.full_like(parameter, 3.0)
    optimizer.step()
    for parameter in some:
        torch.testing.assert_close(parameter.detach(), torch.full((3,), 0.49))


def test_prodigy_finds_its_step_size_without_a_word(capsys):
    target, some = torch.tensor([3.0, -2.0, 1.0]), parameters()
    optimizer = make_optimizer("prodigy", some, 1.0, 0.01)
    for _ in range(200):
        optimizer.zero_grad()
        sum((parameter - target).square().sum() for parameter in some).backward()
        optimizer.step()
    assert optimizer.param_groups[0]["d"] > 1e-3
    assert (some[0] - target).abs().max() < 0.2
    assert capsys.readouterr().out == ""


def test_8_bit_adamw_without_a_gpu_is_refused_with_the_way_out():
    with pytest.raises(OptimizerError, match=r"train\.optimizer: adamw8bit needs an NVIDIA GPU.*set adamw"):
        make_optimizer("adamw8bit", parameters(), 0.01, 0.0)


def test_8_bit_adamw_without_bitsandbytes_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(optimizers.torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(OptimizerError, match=r"adamw8bit needs bitsandbytes: pip install bitsandbytes"):
        make_optimizer("adamw8bit", parameters(), 0.01, 0.0)


def test_prodigy_without_its_package_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    with pytest.raises(OptimizerError, match=r"train\.optimizer: prodigy needs prodigyopt: pip install prodigyopt"):
        find_optimizer("prodigy")


def test_every_optimizer_of_params_has_a_class_and_a_package():
    assert set(get_args(get_type_hints(Train)["optimizer"])) == OPTIMIZERS.keys()
    assert [package_of(name) for name in OPTIMIZERS] == ["torch", "bitsandbytes", "prodigyopt"]


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "cosine_with_restarts"])
def test_every_schedule_warms_up(name):
    assert rates(name)[:3] == pytest.approx([0, 0.5, 1])


def test_constant_stays():
    assert rates("constant")[2:] == [1] * 10


def test_linear_falls_by_equal_steps():
    assert rates("linear")[2:] == pytest.approx([1 - n / 10 for n in range(10)])


def test_cosine_is_half_way_down_in_the_middle():
    assert rates("cosine")[7] == pytest.approx(0.5)


def test_restarts_begin_again_at_the_full_rate():
    found = rates("cosine_with_restarts", steps=14, restarts=3)
    assert [step for step, rate in enumerate(found) if rate == 1] == [2, 6, 10]
