"""Whether found weights are those that the model needs: none missing, none too many, all of them numbers."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from gentra_lora.base.files.headers import Shape, some
from gentra_lora.base.source import BaseModelError

# What files hold besides: a buffer of older transformers, the rest of a whole CLIP, what training a VAE leaves.
HARMLESS = (
    "embeddings.position_ids",
    "logit_scale",
    "text_projection",
    "vision_model.",
    "visual_projection.",
    "loss.",
    "model_ema.",
)


def shapes_of(model: torch.nn.Module) -> dict[str, Shape]:
    """Return {name: shape} of the weights that a model needs."""
    return {name: tuple(weight.shape) for name, weight in model.state_dict().items()}


def fault_of_names(expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> str | None:
    """Return what is wrong with found weights, of which some are harmless, or None."""
    return fault_of(
        missing=expected.keys() - found.keys(),
        unexpected=found.keys() - expected.keys(),
        mismatched=[
            f"{name} is {list(found[name])}, not {list(shape)}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        ],
    )


def check_loaded(key: str, what: str, info: Mapping[str, Any]) -> None:
    """Refuse what was loaded without some of its weights, or with others, by a library's `output_loading_info`.

    Raises:
        BaseModelError: names the weights; `what` is the part and the model.
    """
    mismatched = [f"{name} is {list(found)}, not {list(wanted)}" for name, found, wanted in info["mismatched_keys"]]
    fault = fault_of(info["missing_keys"], info["unexpected_keys"], mismatched)
    if fault:
        raise BaseModelError(f"{key}: {what} {fault}; take a whole model")


def fault_of(missing: Iterable[str], unexpected: Iterable[str], mismatched: Iterable[str]) -> str | None:
    """Return what is wrong, in words, or None."""
    missing, mismatched = list(missing), list(mismatched)
    unexpected = [name for name in unexpected if not name.removeprefix("text_model.").startswith(HARMLESS)]
    faults = []
    if missing:
        faults.append(f"lacks {len(missing)} of its weights ({some(missing)})")
    if unexpected:
        faults.append(f"holds {len(unexpected)} that such a model does not have ({some(unexpected)})")
    if mismatched:
        faults.append(f"has weights of another shape ({some(mismatched)})")
    return " and ".join(faults) or None


def check_values(key: str, name: str, part: str, module: torch.nn.Module) -> None:
    """Refuse weights that are not numbers, or a matrix of zeros: what a damaged file or a bad merge leaves.

    Raises:
        BaseModelError: names the weight.
    """
    for weight, value in module.state_dict().items():
        if not value.is_floating_point():
            continue
        if not value.sum(dtype=torch.float32).isfinite():
            raise BaseModelError(f"{key}: {name}: {weight} of the {part} is not finite; take an intact copy")
        matrix = value.ndim > 1 and min(value.shape[:2]) > 1  # a token of one row may be zeros
        if matrix and not value.any():
            raise BaseModelError(f"{key}: {name}: {weight} of the {part} is all zeros; take an intact copy")
