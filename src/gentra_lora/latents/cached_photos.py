"""A folder of cached latents, as training reads it: the photos of a split, and the empty prompt."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from gentra_lora.errors import first_line
from gentra_lora.latents.posteriors import LatentsError


@dataclass(frozen=True)
class CachedPhotos:
    """Photos of one split; entry n of every field is the same photo. Photos may differ in H and W.

    What a step needs is read from the files in that step: memory does not grow with the number of photos.
    """

    file_names: list[str]
    digests: list[str]  # sha256 of the photos
    files: list[Path]
    shapes: list[tuple[int, int, int]]  # (4, H/f, W/f) of each photo's latents: its bucket
    crops: int  # crop variants of each

    def __len__(self) -> int:
        return len(self.files)

    def read(self, n: int, crop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return a crop's posterior mean and std, (4, H/f, W/f) each, and the caption's prompt_embeds (L, D)."""
        with safe_open(self.files[n], "pt") as file:
            mean, std = (file.get_slice(name)[crop] for name in ("mean", "std"))
            return mean, std, file.get_tensor("prompt_embeds")

    def read_mask(self, n: int, crop: int) -> torch.Tensor:
        """Return where a crop shows the subject, (1, H/f, W/f) in [0, 1]: everywhere, if the photo has no mask."""
        with safe_open(self.files[n], "pt") as file:
            if "mask" in file.keys():  # noqa: SIM118  # it is no dict
                return file.get_slice("mask")[crop]
        return torch.ones(1, *self.shapes[n][1:])


def read_index(folder: Path) -> dict[str, Any]:
    """Return the index of a latents folder."""
    return json.loads((folder / "index.json").read_text(encoding="utf-8"))


def load_split(folder: Path, split: str) -> CachedPhotos:
    """Return the CachedPhotos of a split, in the index's order.

    Raises:
        LatentsError: the index lists no photo of that split, or a file that it lists cannot be read.
    """
    rows = [row for row in read_index(folder)["photos"] if row["split"] == split]
    if not rows:
        raise LatentsError(f"{folder}: holds no photo of the split {split}; run `dvc repro cache_latents`")
    names, digests = ([row[key] for row in rows] for key in ("file_name", "sha256"))
    files = [folder / f"{row['key']}.safetensors" for row in rows]
    shapes = [_shape(file) for file in files]  # (V, 4, H/f, W/f)
    return CachedPhotos(names, digests, files, [shape[1:] for shape in shapes], shapes[0][0])


def _shape(path: Path) -> tuple[int, int, int, int]:
    with opened(path) as file:
        return tuple(file.get_slice("mean").get_shape())


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file of latents.

    Raises:
        LatentsError: it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        reason = first_line(error)
        raise LatentsError(f"{path}: cannot be read ({reason}); run `dvc repro -f cache_latents`") from error


def read_empty_prompt(folder: Path) -> torch.Tensor:
    """Return the embeddings (L, D) of the empty prompt."""
    return load_file(folder / f"{read_index(folder)['empty_prompt']}.safetensors")["prompt_embeds"]
