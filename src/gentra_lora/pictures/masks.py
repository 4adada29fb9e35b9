"""A mask says which pixels of a photo may change: white may, black stays, grey in between mixes both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Self

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn.functional import max_pool2d

from gentra_lora.base.samplers import Scheduler
from gentra_lora.photos.crops import Size
from gentra_lora.photos.masks import opacity_of
from gentra_lora.photos.photo import open_upright
from gentra_lora.pictures.limits import MaskContent

NEARLY = 8  # levels from black or white that a JPEG's losses make of it


def open_holes(source: Path | IO[bytes], name: str) -> Image.Image:
    """Return a file's transparent parts as a mask, mode L: they may change, as OpenAI's clients mean it.

    Args:
        name: what messages call it.

    Raises:
        PhotoError: see photo.open_photo.
    """
    image = open_upright(source, name)
    return holes_of(source) or Image.new("L", image.size)


def holes_of(source: Path | IO[bytes]) -> Image.Image | None:
    """Return the transparent parts of a file that has been opened, None where it has none: see `open_holes`."""
    opacity = opacity_of(source)
    return None if opacity is None else ImageOps.invert(opacity)


def file_of(mask: Image.Image) -> bytes:
    """Return a mask as the file whose sha256 stands for one that is in no file: BMP, the same bytes everywhere."""
    with BytesIO() as buffer:
        mask.save(buffer, "BMP")
        return buffer.getvalue()


def fitted_mask(mask: Image.Image, size: Size) -> Image.Image:
    """Return a mask at a picture's size, cut as request.fitted cuts its photo; a pixel has the mean of what it covers.

    What is nearly black or white becomes it.
    """
    fitted = ImageOps.fit(mask, size, Image.Resampling.BOX)
    return fitted.point(lambda level: 0 if level < NEARLY else 255 if level > 255 - NEARLY else level)


def pasted(picture: np.ndarray, photo: Image.Image, mask: Image.Image) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, with the photo's own pixels where the mask is black; all of one size."""
    return np.array(Image.composite(Image.fromarray(picture), photo, mask))


def may_change(mask: Image.Image | None, size: Size, factor: int) -> torch.Tensor:
    """Return which latents may change, bool (1, 1, H/f, W/f): those with a pixel that may; all without a mask."""
    width, height = size
    if mask is None:
        return torch.ones(1, 1, height // factor, width // factor, dtype=torch.bool)
    levels = torch.from_numpy(np.array(fitted_mask(mask, size), dtype=np.float32))  # (H, W)
    return max_pool2d(levels[None, None], factor) > 0


def with_contents(
    photos: torch.Tensor, noise: torch.Tensor, changing: torch.Tensor, contents: Sequence[MaskContent]
) -> torch.Tensor:
    """Return what scaled latents (N, 4, h, w) begin as: those that may change are the noise itself, nothing, or stay.

    Args:
        noise: that will be added, as in A1111.
        changing: bool (N, 1, h, w).
    """
    found = photos.clone()
    for row, content in enumerate(contents):
        if content in ("noise", "nothing"):
            found[row] = torch.where(changing[row], noise[row] * (content == "noise"), photos[row])
    return found


@dataclass(frozen=True)
class KeptLatents:
    """What stays of the photos of a batch. A base that was not trained for masks is held to it after each step.

    As diffusers' StableDiffusionInpaintPipeline does with such a base.
    """

    photos: torch.Tensor  # scaled latents (N, 4, h, w)
    noise: torch.Tensor  # (N, 4, h, w)
    changing: torch.Tensor  # bool (N, 1, h, w)

    def put_back(self, latents: torch.Tensor, scheduler: Scheduler, timesteps: torch.Tensor) -> torch.Tensor:
        """Return the latents with what stays, as noisy as they are.

        Args:
            timesteps: those of the next step, the same for all: (1,); or none, (0,), after the last.
        """
        kept = self.photos
        if len(timesteps):
            each = timesteps.repeat(len(kept))
            kept = scheduler.add_noise(kept, self.noise, each)  # type: ignore[arg-type]  # int64 is taken
        return torch.where(self.changing, latents, kept)

    def of(self, rows: list[int]) -> Self:
        """Return what stays of some pictures, by their places."""
        return replace(self, photos=self.photos[rows], noise=self.noise[rows], changing=self.changing[rows])
