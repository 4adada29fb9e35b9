"""The device and the dtype to compute in, by what the hardware can do."""

import torch

from gentra_lora.base.source import BaseModelError

DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def choose_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(requested: str, device: torch.device) -> tuple[str, str]:
    """Return ("no" | "fp16" | "bf16", the reason) for `auto` or an explicit request.

    Raises:
        BaseModelError: an explicit request that the device runs only by emulation, or not at all.
    """
    if device.type != "cuda":
        if requested not in ("auto", "no"):
            raise BaseModelError(f"base.mixed_precision: {requested} needs a GPU, and there is none; set auto or no")
        return "no", "no GPU: float32"
    capability = torch.cuda.get_device_capability(device)
    name = f"{torch.cuda.get_device_name(device)} (compute capability {capability[0]}.{capability[1]})"
    if requested == "bf16" and capability < (8, 0):
        raise BaseModelError(f"base.mixed_precision: bf16 is only emulated on {name}; set auto or fp16")
    if requested != "auto":
        return requested, f"{name}: {requested} as asked"
    if capability < (8, 0):
        return "fp16", f"{name}: fp16, since it has no bfloat16 units"
    return "bf16", f"{name}: bf16, which needs no loss scaling"
