"""The one file layout that diffusers, ComfyUI and A1111 all read with the right strength: kohya's."""

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from gentra_lora.adapter.lora import AdapterError, LoraModule
from gentra_lora.whole_file import json_text, write_whole

KEY = re.compile(r"(lora_unet_\w+)\.(lora_down\.weight|lora_up\.weight|alpha)")
PARTS = ("lora_down.weight", "lora_up.weight", "alpha")
Tensors = dict[str, torch.Tensor]


def kohya_tensors(modules: Mapping[str, LoraModule], lora_alpha: float) -> Tensors:
    """Return the tensors of an adapter file: kohya's key names, one alpha a module, float16, contiguous.

    Raises:
        AdapterError: a weight is not finite.
    """
    tensors: Tensors = {}
    for name, module in modules.items():
        key = f"lora_unet_{name.replace('.', '_')}"
        down, up = (t.detach().half().cpu().contiguous() for t in (module.down, module.up))
        if not (down.isfinite().all() and up.isfinite().all()):
            raise AdapterError(f"{name}: weights are not finite in float16; lower train.learning_rate")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        tensors[f"{key}.alpha"] = torch.tensor(float(lora_alpha), dtype=torch.float16)
    return tensors


def check_effect(tensors: Tensors) -> None:
    """Refuse an adapter that would change nothing.

    Raises:
        AdapterError: every lora_up is zero.
    """
    if not any(tensor.any() for key, tensor in tensors.items() if key.endswith("lora_up.weight")):
        raise AdapterError("the adapter changes nothing: every lora_up is zero; train for more steps")


def write_adapter(path: Path, tensors: Tensors, metadata: dict[str, str]) -> None:
    """Write an adapter file atomically; equal tensors and metadata give equal bytes."""
    content = _sorted_header(save(tensors, metadata))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_bytes(content))


def _sorted_header(content: bytes) -> bytes:
    # safetensors writes metadata in the random order of a hash map.
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json_text(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def read_adapter(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return (tensors, metadata) of an adapter file.

    Raises:
        AdapterError: no such file, not safetensors, a key of another layout, a module that lacks one of its three
            tensors, or a value that is not finite.
    """
    if not path.is_file():
        raise AdapterError(f"{path}: no such file; `dvc repro` trains it, `dvc pull` fetches it")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise AdapterError(f"{path}: not a safetensors file ({error}); train or fetch it again") from error
    check_tensors(path, tensors)
    return tensors, metadata


def check_tensors(path: Path, tensors: Tensors) -> None:
    """Refuse tensors that are not exactly an adapter in this layout; see read_adapter."""
    stray = [key for key in tensors if not KEY.fullmatch(key)]
    if stray or not tensors:
        raise AdapterError(
            f"{path}: not an adapter in the kohya layout; unknown key: {(stray or ['no key at all'])[0]}"
        )
    missing = [f"{name}.{part}" for name in module_names(tensors) for part in PARTS if f"{name}.{part}" not in tensors]
    if missing:
        raise AdapterError(f"{path}: lacks {missing[0]}; train or fetch it again")
    broken = [key for key, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise AdapterError(f"{path}: {broken[0]} holds values that are not finite; train or fetch it again")


def module_names(tensors: Tensors) -> list[str]:
    """Return the kohya module names of an adapter file's tensors."""
    return list(dict.fromkeys(key.split(".")[0] for key in tensors))
