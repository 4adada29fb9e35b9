"""What a result was computed on, for a person who compares two of them."""

import platform
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


def hardware_name(device: torch.device) -> str:
    """Return the GPU's name, or the CPU's with the number of threads: the last bits of a result depend on both."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_cpu_name()}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def _cpu_name() -> str:
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
