"""The configuration of each part of a base.

sd1/ holds that of Stable Diffusion 1.x, which a single file lacks, and the byte pairs of its tokenizer.
"""

import json
from pathlib import Path
from typing import Any

from gentra_lora.base.files.headers import read_header, read_json
from gentra_lora.base.files.hub import hub_file
from gentra_lora.base.source import PREDICTION_TYPES, BaseModelError, BaseSource

SD1 = Path(__file__).parent / "sd1"
AS_MODELSPEC = {"v": "v_prediction"}


def config_of(source: BaseSource, part: str) -> dict[str, Any]:
    """Return the configuration of a part that a base must have: unet, text_encoder or scheduler.

    Raises:
        BaseModelError: it is missing or damaged, or the hub cannot be asked.
    """
    config = config_if_any(source, part)
    if config is None:
        place = f"@{source.revision}" if source.revision else ""
        raise BaseModelError(f"base.model: {source.model}{place} has no {_file(part)}; take a whole diffusers pipeline")
    return config


def config_if_any(source: BaseSource, part: str) -> dict[str, Any] | None:
    """Return the configuration of a part, None where the base has none: it may lack the vae."""
    if source.is_file:
        return _of_file(Path(source.model), part)
    if Path(source.model).exists():
        path = Path(source.model, _file(part))
        return read_json("base.model", path) if path.exists() else None
    found = hub_file("base.model", source.model, source.revision, _file(part))
    return read_json("base.model", found) if found else None


def sd1_config(part: str) -> dict[str, Any]:
    """Return the configuration of a part of Stable Diffusion 1.x."""
    return dict(json.loads(sd1_path(_file(part)).read_text(encoding="utf-8")))


def sd1_path(name: str) -> Path:
    """Return a file or folder of sd1/."""
    return SD1 / name


def prediction_type_of(source: BaseSource) -> str:
    """Return what the denoiser predicts, epsilon or v_prediction: base.prediction_type, else what the base says.

    Raises:
        BaseModelError: it predicts something else, or has no noise schedule.
    """
    predicted = source.prediction_type or config_of(source, "scheduler").get("prediction_type", "epsilon")
    if predicted not in PREDICTION_TYPES:
        known = " or ".join(PREDICTION_TYPES)
        raise BaseModelError(
            f"base.model: the scheduler of {source.model} has the prediction_type {predicted!r}, and only {known} can "
            f"learn here; take another base, or set base.prediction_type where the file is wrong"
        )
    return str(predicted)


def _of_file(path: Path, part: str) -> dict[str, Any]:
    """Return Stable Diffusion 1.x's, and of the schedule what the file says of itself: most say nothing."""
    config = sd1_config(part)
    if part == "scheduler":
        said = read_header("base.model", path).metadata.get("modelspec.prediction_type")
        config |= {"prediction_type": AS_MODELSPEC.get(said, said)} if said else {}
    return config


def _file(part: str) -> str:
    return f"{part}/scheduler_config.json" if part == "scheduler" else f"{part}/config.json"
