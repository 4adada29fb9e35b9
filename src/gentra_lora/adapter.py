"""The adapter: attach LoRA to the denoiser, and the one file layout that diffusers, ComfyUI and A1111 all read.

Hu et al. 2021, arXiv 2106.09685. A module's weight delta is lora_up @ lora_down * lora_alpha / rank.
"""

import json
import re
import struct
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
from packaging.version import Version
from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from gentra_lora.errors import InputError
from gentra_lora.whole_file import write_whole

NAME = "subject"
# Attention, feed-forward and the projections around them: on SD 1.5 this reaches a full fine-tune's held-out gain.
ATTENTION_FF = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
CONV = ["conv1", "conv2", "conv_shortcut", "time_emb_proj", "conv"]  # of the residual blocks and the resamplers
TARGET_MODULES = {"attention+ff": ATTENTION_FF, "attention+ff+conv": ATTENTION_FF + CONV}
KEY = re.compile(r"lora_unet_\w+\.(lora_down\.weight|lora_up\.weight|alpha)")


class AdapterError(InputError):
    """An adapter that must not be saved or used; the message names the module or file."""


def check_torchao():
    """Refuse a torchao that peft refuses: it would fail only when the adapter is attached.

    Raises:
        AdapterError: torchao is installed and older than 0.16, as in Colab's image.
    """
    try:
        found = version("torchao")
    except PackageNotFoundError:
        return
    if Version(found) < Version("0.16"):
        raise AdapterError(
            f"torchao {found} is installed, which peft refuses; nothing here needs it: pip uninstall torchao"
        )


@dataclass(frozen=True)
class LoraModule:
    """One module's factors: down (rank, in, ...), up (out, rank, ...)."""

    down: torch.Tensor
    up: torch.Tensor


def attach_adapter(unet, rank, lora_alpha, target_modules, seed):
    """Add LoRA to the frozen denoiser and return the trainable parameters, float32 whatever the base's dtype.

    lora_up starts at zero, so that the adapter starts as the base. The global random state is left as it was.

    Args:
        target_modules: a key of TARGET_MODULES.
    """
    names = TARGET_MODULES[target_modules]
    config = LoraConfig(r=rank, lora_alpha=lora_alpha, target_modules=names, init_lora_weights="gaussian")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet.add_adapter(config, adapter_name=NAME)
    trainable = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.data = parameter.data.float()
    return trainable


def lora_modules(unet):
    """Return {module path: LoraModule} of the attached adapter, the tensors themselves."""
    return {
        name: LoraModule(module.lora_A[NAME].weight, module.lora_B[NAME].weight)
        for name, module in unet.named_modules()
        if hasattr(module, "lora_A") and NAME in module.lora_A
    }


def kohya_tensors(modules, lora_alpha):
    """Return the tensors of an adapter file: kohya's key names, one alpha a module, float16, contiguous.

    Raises:
        AdapterError: a weight is not finite, or the adapter would change nothing.
    """
    tensors = {}
    for name, module in modules.items():
        key = f"lora_unet_{name.replace('.', '_')}"
        down, up = (t.detach().half().cpu().contiguous() for t in (module.down, module.up))
        if not (down.isfinite().all() and up.isfinite().all()):
            raise AdapterError(f"{name}: weights are not finite in float16; lower train.learning_rate")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        tensors[f"{key}.alpha"] = torch.tensor(float(lora_alpha), dtype=torch.float16)
    if not any(tensor.any() for key, tensor in tensors.items() if key.endswith("lora_up.weight")):
        raise AdapterError("the adapter changes nothing: every lora_up is zero; train for more steps")
    return tensors


def write_adapter(path, tensors, metadata):
    """Write an adapter file atomically; equal tensors and metadata give equal bytes."""
    content = _sorted_header(save(tensors, metadata))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_bytes(content))


def _sorted_header(content):
    # safetensors writes metadata in the random order of a hash map.
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def read_adapter(path):
    """Return (tensors, metadata) of an adapter file.

    Raises:
        AdapterError: no such file, not safetensors, or keys of another layout.
    """
    if not path.is_file():
        raise AdapterError(f"{path}: no such file; `dvc repro` trains it, `dvc pull` fetches it")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise AdapterError(f"{path}: not a safetensors file ({error}); train or fetch it again") from error
    stray = [key for key in tensors if not KEY.fullmatch(key)]
    if stray or not tensors:
        raise AdapterError(
            f"{path}: not an adapter in the kohya layout; unknown key: {(stray or ['no key at all'])[0]}"
        )
    return tensors, metadata


def check_written(path, modules, lora_alpha):
    """Read a file back and compare every module's weight delta with the trained one.

    Raises:
        AdapterError: one is missing, or differs by more than float16's rounding.
    """
    deltas = module_deltas(read_adapter(path)[0])
    for name, module in modules.items():
        trained = module.up.detach().flatten(1) @ module.down.detach().flatten(1) * (lora_alpha / module.down.shape[0])
        written = deltas.get(f"lora_unet_{name.replace('.', '_')}")
        if written is None or (written.flatten(1) - trained.float().cpu()).norm() > 0.01 * trained.norm() + 1e-6:
            raise AdapterError(f"{path}: {name} does not read back as it was trained; train again")


def module_deltas(tensors):
    """Return {kohya module name: weight delta in float32} of an adapter file's tensors."""
    deltas = {}
    for key in tensors:
        if key.endswith(".alpha"):
            name = key.removesuffix(".alpha")
            down, up = (tensors[f"{name}.lora_{side}.weight"].float() for side in ("down", "up"))
            delta = up.flatten(1) @ down.flatten(1) * (tensors[key].float() / down.shape[0])
            deltas[name] = delta.reshape(up.shape[0], *down.shape[1:])
    return deltas
