"""Whether each part in a diffusers folder is whole: the names and shapes of its weights are those of its model."""

from collections.abc import Mapping
from pathlib import Path

from gentra_lora.base.files.headers import Shape
from gentra_lora.base.files.hub import STEMS
from gentra_lora.base.files.pipeline_folder import AGAIN, part_config, weights_in
from gentra_lora.base.files.single_file import empty_model
from gentra_lora.base.files.wholeness import fault_of_names, shapes_of
from gentra_lora.base.source import BaseModelError, guarded

OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def check_part(key: str, folder: Path, part: str) -> None:
    """Refuse a part whose weights are not whole or not its own, by their headers.

    Args:
        folder: the part's.

    Raises:
        BaseModelError: a file is missing, damaged, or another's.
    """
    config = part_config(key, folder, part)
    shapes = weights_in(key, folder, STEMS[part])
    if shapes is not None:
        model = guarded(key, str(folder), empty_model, part, config)
        fault = fault_of_names(_own_names(shapes_of(model)), _own_names(shapes))
        if fault:
            raise BaseModelError(f"{key}: {folder} {fault}; {AGAIN}")


def _own_names(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return shapes under the names of today: older files of attention and of text encoders have others."""
    renamed = {}
    for name, shape in shapes.items():
        if ".attentions." in name:
            for old, new in OLD_ATTENTION.items():
                name = name.replace(old, new)
        renamed[name.removeprefix("text_model.")] = shape
    return renamed
