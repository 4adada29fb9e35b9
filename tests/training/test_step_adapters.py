from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from gentra_lora.adapter.file import write_adapter
from gentra_lora.errors import InputError
from gentra_lora.training.step_adapters import RUN, check_run, spread, step_adapters, write_run
from tests.tiny_engine import adapter_tensors, load_engine


@pytest.mark.parametrize(
    ("count", "wanted"), [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (10, [0, 3, 6, 9]), (5, [0, 1, 3, 4])]
)
def test_steps_are_spread_over_all_of_them(count, wanted):
    assert spread(list(range(count)), 4) == wanted


def test_kept_adapter_comes_last_and_once(tiny_base, tmp_path):
    engine = load_engine(tiny_base)
    for step in (200, 400, 600):
        write_adapter(tmp_path / f"step-{step:07d}.safetensors", adapter_tensors(step / 600), {"format": "pt"})
    factors = engine.adapter.fit("a.safetensors", adapter_tensors())
    found = step_adapters(tmp_path, engine, factors, 600)
    assert [label for label, _ in found] == ["step 200", "step 400", "step 600, kept"]
    assert found[2][1] is factors
    name = next(iter(factors))
    torch.testing.assert_close(found[0][1][name].up, factors[name].up / 3, rtol=1e-3, atol=1e-5)


def test_training_without_such_adapters_has_the_kept_one(tiny_base, tmp_path):
    engine = load_engine(tiny_base)
    assert step_adapters(tmp_path / "none", engine, {}, 60) == [("step 60, kept", {})]


@pytest.mark.parametrize(
    ("noted", "header", "fits"),
    [
        ("a1", {RUN: "a1"}, True),
        (None, {}, True),
        ("a1", {RUN: "b2"}, False),
        ("a1", {}, False),
        (None, {RUN: "b2"}, False),
    ],
)
def test_what_a_training_reported_is_taken_with_its_own_adapter_alone(tmp_path, noted, header, fits):
    write_run(tmp_path / "train", noted or "")
    if noted is None:
        (tmp_path / "train/run.txt").unlink()
    with (
        nullcontext()
        if fits
        else pytest.raises(InputError, match=rf"train: is of the training {noted or 'unknown'}, a")
    ):
        check_run(tmp_path / "train", Path("a.safetensors"), header)


def test_adapter_without_what_its_training_reported_is_taken(tmp_path):
    check_run(tmp_path / "none", Path("a.safetensors"), {RUN: "a1"})
