"""`gentra-lora base` and `lora`: which base learns, and what of it."""

from contextlib import suppress
from pathlib import Path

from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo

from gentra_lora.adapter.lora import count_weights
from gentra_lora.base.checks import check_base
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import load_unet_shapes
from gentra_lora.base.source import BaseSource
from gentra_lora.commands.params import checked, set_values
from gentra_lora.commands.params_edit import with_deps
from gentra_lora.params import load_params
from gentra_lora.revisions.unkept import unkept
from gentra_lora.whole_file import json_text, write_whole

DVC_FILE = Path("dvc.yaml")


def base_command(
    model: str, revision: str | None, vae: str | None, vae_revision: str | None, prediction_type: str | None
) -> None:
    """Take another base model; a local one becomes a dependency of all stages.

    Raises:
        BaseModelError: it cannot be one; nothing is written.
    """
    hush_libraries()
    check_base(BaseSource(model, revision, vae, vae_revision, prediction_type=prediction_type))
    places = [str(Path(name)) if name and Path(name).exists() else name for name in (model, vae)]
    values = {"model": places[0], "revision": revision, "vae": places[1], "vae_revision": vae_revision}
    values["prediction_type"] = prediction_type  # another base's would say nothing of this one
    edits = [(f"base.{key}", json_text(value, ensure_ascii=True)) for key, value in values.items()]
    checked(edits)
    local = [place for place in places if place and Path(place).exists()]
    text = with_deps(DVC_FILE.read_text(encoding="utf-8"), local)
    write_whole(DVC_FILE, lambda partial: partial.write_text(text, encoding="utf-8"))
    set_values(edits)
    with suppress(NotDvcRepoError), Repo(".") as repo:
        for line in (line for path, line in unkept(repo).items() if path in local):
            print(f"note: {line}")


def lora_command() -> None:
    """Print what would be trained, without loading a weight of the base."""
    hush_libraries()
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.train
    check_base(source)
    modules, trained, frozen = count_weights(load_unet_shapes(source), config.rank, config.target_modules)
    print(
        f"rank {config.rank}, alpha {config.lora_alpha:g}, on {config.target_modules}: {modules} modules, "
        f"{trained:,} weights are trained and {frozen:,} of the base are not ({trained / frozen:.2%})"
    )
