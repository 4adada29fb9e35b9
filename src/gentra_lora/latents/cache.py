"""A folder of latents that is never stale: each file is named by all that determines what is in it.

Encoding again what is there already is what this saves, and only that: a run keeps the files whose names are still
right, adds those that lack, and removes the others at its end. A file is written beside its place and then moved, so
that a kill at any moment leaves no half of one.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models import AutoencoderKL
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from gentra_lora.latents.posteriors import encode_photo, encode_prompt, token_ids
from gentra_lora.photos.crops import crop, crop_boxes
from gentra_lora.photos.manifest import Row
from gentra_lora.photos.masks import mask_crops, open_mask
from gentra_lora.photos.photo import open_upright, sha256_of, to_pixel_values
from gentra_lora.whole_file import json_text, write_json, write_whole

LAYOUT_VERSION = 2  # raised when what a file holds, or how crops are cut, changes


@dataclass(frozen=True)
class CropSettings:
    """How crops are cut from training photos; held-out ones get one centre crop."""

    variants: int
    min_scale: float
    flip: bool


def content_of(module: AutoencoderKL | CLIPTextModel) -> str:
    """Return the sha256 of a model's configuration and weights."""
    config = module.config.to_dict() if isinstance(module, CLIPTextModel) else dict(module.config)
    # Where it was loaded from, and by which version of a library, changes no value.
    config = {key: value for key, value in config.items() if not key.startswith("_") and not key.endswith("_version")}
    digest = hashlib.sha256(json_text(config, sort_keys=True, default=str, ensure_ascii=True).encode())
    _add_tensors(digest, module.state_dict())
    return digest.hexdigest()


def key_of(*parts: object) -> str:
    """Return the key of anything that JSON can hold, 32 hexadecimal digits."""
    return hashlib.sha256(json_text([LAYOUT_VERSION, *parts], ensure_ascii=True).encode()).hexdigest()[:32]


def digest_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the sha256 of tensors by name: a file may have the right header and length, and zeros at its end."""
    digest = hashlib.sha256()
    _add_tensors(digest, tensors)
    return digest.hexdigest()


def _add_tensors(digest: "hashlib._Hash", tensors: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


@dataclass
class LatentCache:
    """The folder, the models that fill it, and what was done. `used` holds the names of all current files."""

    folder: Path
    vae: AutoencoderKL
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    settings: CropSettings
    batch_size: int
    used: set[str] = field(default_factory=set)
    encoded: int = 0  # photos
    embedded: int = 0  # captions

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.vae_content, self.text_content = content_of(self.vae), content_of(self.text_encoder)

    def add_photo(self, row: Row, path: Path, mask: Path | None = None) -> str:
        """Make sure that a manifest row's file is there; return its key.

        The file holds `mean` and `std` (V, 4, H/f, W/f) and `prompt_embeds` (L, D); with a mask, of a training photo,
        `mask` (V, 1, H/f, W/f) as well.
        """
        with Image.open(path) as header:
            photo_size = header.size
        size, training = (row.width, row.height), row.split == "train"
        # A held-out photo is always seen whole and as it is: its loss must not depend on luck.
        variants, flip = (self.settings.variants, self.settings.flip) if training else (1, False)
        boxes = crop_boxes(row.sha256, photo_size, size, variants, self.settings.min_scale)
        photo_key = key_of("photo", sha256_of(path), boxes, size, flip, self.vae_content, "float32")
        ids = token_ids(self.tokenizer, row.caption)
        key = f"{photo_key}-{self._prompt_key(ids)}"
        if mask and training:
            key += f"-{key_of('mask', sha256_of(mask))}"
        if self.holds(key):
            return key
        latents = self._posterior_of(photo_key)
        if latents is None:
            image = open_upright(path)
            crops = torch.cat([to_pixel_values(crop(image, box, size)) for box in boxes])
            crops = torch.cat([crops, crops.flip(-1)]) if flip else crops
            mean, std = encode_photo(self.vae, crops, row.file_name, self.batch_size)
            latents = {"mean": mean, "std": std}
            self.encoded += 1
        if mask and training:
            latent_height, latent_width = latents["mean"].shape[-2:]
            crops = mask_crops(open_mask(mask, str(mask)), boxes, (latent_width, latent_height))
            latents["mask"] = torch.cat([crops, crops.flip(-1)]) if flip else crops
        self.write(key, latents, encode_prompt(self.text_encoder, ids))
        self.embedded += 1
        return key

    def add_prompt(self, prompt: str) -> str:
        """Make sure that a file with a prompt's `prompt_embeds` (L, D) is there; return its key."""
        ids = token_ids(self.tokenizer, prompt)
        key = f"prompt-{self._prompt_key(ids)}"
        if not self.holds(key):
            self.write(key, {}, encode_prompt(self.text_encoder, ids))
            self.embedded += 1
        return key

    def write(self, key: str, latents: dict[str, torch.Tensor], prompt_embeds: torch.Tensor) -> None:
        """Write a file of `latents`, by name, with their prompt_embeds (L, D)."""
        tensors = latents | {"prompt_embeds": prompt_embeds}
        header = {"sha256": digest_of(tensors)}
        write_whole(self.folder / f"{key}.safetensors", lambda path: save_file(tensors, path, header))

    def holds(self, key: str) -> bool:
        """Return whether the file of a key is there and whole, to the last byte of its tensors."""
        try:
            with safe_open(self.folder / f"{key}.safetensors", "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
                return (file.metadata() or {}).get("sha256") == digest_of(tensors)
        except (OSError, SafetensorError):
            return False

    def write_index(
        self, rows: list[dict[str, Any]], empty_prompt: str, base: str, prior: dict[str, list[str]]
    ) -> None:
        """Write index.json: which file belongs to which photo, and what all share.

        Args:
            prior: the keys of "class_pictures" and of "base_predictions".
        """
        factor = self.vae.config["scaling_factor"]
        downscale = 2 ** (len(self.vae.config["block_out_channels"]) - 1)  # px of a photo to one of its latents
        index = {"base": base, "scaling_factor": factor, "downscale": downscale, "empty_prompt": empty_prompt}
        index |= prior | {"photos": rows}
        write_json(self.folder / "index.json", index, indent=1)

    def prune(self, keys: Iterable[str]) -> None:
        """Remove all that is not index.json or the file of one of the keys."""
        wanted = {"index.json", *(f"{key}.safetensors" for key in keys)}
        for path in self.folder.iterdir():
            if path.name not in wanted:
                path.unlink()

    def _prompt_key(self, ids: list[int]) -> str:
        return key_of("prompt", ids, self.text_content)

    def _posterior_of(self, photo_key: str) -> dict[str, torch.Tensor] | None:
        """Return the mean and std of a file that differs in its caption or mask alone, or None."""
        for path in sorted(self.folder.glob(f"{photo_key}-*.safetensors")):
            if self.holds(path.stem):
                tensors = load_file(path)
                return {name: tensors[name] for name in ("mean", "std")}
        return None
