"""What is looked at before anything runs: whether a base can be one, and is whole. No weight is read."""

from pathlib import Path

from gentra_lora.base.files.configs import config_if_any, config_of, sd1_config
from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.files.parts import check_part
from gentra_lora.base.files.single_file import check_single_file, check_vae_file
from gentra_lora.base.files.tokens import check_tokens
from gentra_lora.base.first_look import look_into
from gentra_lora.base.source import BaseSource


def check_base(source: BaseSource) -> None:
    """Refuse a base that cannot be one: of local files all that their headers tell, of a hub id its name.

    Raises:
        BaseModelError: not pinned, no Stable Diffusion 1.x model, or not whole.
    """
    look_into(source)
    if source.is_file:
        check_single_file(source.model, source.vae is not None)
        load_noise_scheduler(source)
    elif Path(source.model).is_dir():
        _check_folder(Path(source.model), source)
    if source.vae is not None and Path(source.vae).exists():
        _check_separate_vae(Path(source.vae), source)


def _check_folder(folder: Path, source: BaseSource) -> None:
    load_noise_scheduler(source)
    check_part("base.model", folder / "text_encoder", "text_encoder")
    check_tokens(folder / "tokenizer", config_of(source, "text_encoder"))
    check_part("base.model", folder / "unet", "unet")
    if source.vae is None:
        check_part("base.model", folder / "vae", "vae")


def _check_separate_vae(path: Path, source: BaseSource) -> None:
    if path.is_dir():
        check_part("base.vae", path, "vae")
        return
    own = config_if_any(source, "vae") if Path(source.model).exists() else None
    check_vae_file(path, own or sd1_config("vae"))
