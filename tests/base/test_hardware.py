import torch

from gentra_lora.base import hardware
from gentra_lora.base.hardware import hardware_name


def test_cpu_is_named_with_its_threads(monkeypatch, tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n")
    monkeypatch.setattr(hardware, "CPUINFO", path)
    assert hardware_name(torch.device("cpu")).startswith(f"Fast CPU @ 3 GHz, {torch.get_num_threads()} threads, ")


def test_cpu_has_a_name_on_any_system(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "none")
    assert not hardware_name(torch.device("cpu")).startswith(",")
