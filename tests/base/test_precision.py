import pytest
import torch

from gentra_lora.base.precision import choose_precision
from gentra_lora.base.source import BaseModelError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_precision_follows_the_compute_capability(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    precision, reason = choose_precision("auto", CUDA)
    assert precision == chosen
    assert f"{capability[0]}.{capability[1]}" in reason


def test_emulated_bf16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "T4")
    with pytest.raises(BaseModelError, match="bf16 is only emulated on T4"):
        choose_precision("bf16", CUDA)


def test_cpu_trains_in_float32_and_refuses_half_precision():
    assert choose_precision("auto", CPU)[0] == "no"
    with pytest.raises(BaseModelError, match="fp16 needs a GPU"):
        choose_precision("fp16", CPU)
