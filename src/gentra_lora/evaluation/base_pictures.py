"""What the base drew in earlier runs: the same for every adapter, so that it is drawn once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gentra_lora.pictures.request import PictureRequest
from gentra_lora.whole_file import json_text, write_whole

MOST_KEPT = 500  # files; the least lately used go first


class BasePictures:
    """A folder of sheets, one for each batch, named by all that determines its pictures.

    A batch and not a picture is what is kept: the last bits of a picture depend on what is drawn beside it.

    Args:
        identity: JSON values of all that determines the pictures besides the requests: the base, hardware, versions.
    """

    def __init__(self, folder: Path, identity: Mapping[str, object]) -> None:
        self.folder, self.identity = folder, identity

    def read(self, requests: Sequence[PictureRequest]) -> list[NDArray[np.uint8]] | None:
        """Return the pictures (H, W, 3), uint8, of a batch of requests, or None where they were not drawn yet."""
        path = self._path(requests)
        try:
            with Image.open(path) as sheet:
                pictures = np.split(np.asarray(sheet), len(requests))
            path.touch()
        except (OSError, ValueError):  # none, or one that somebody damaged
            return None
        return pictures

    def write(self, requests: Sequence[PictureRequest], pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Keep the pictures of a batch; remove what was not used for longest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet = Image.fromarray(np.concatenate(pictures))
        write_whole(self._path(requests), lambda partial: sheet.save(partial, "PNG"))
        kept = sorted(self.folder.glob("*.png"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST_KEPT]:
            path.unlink()

    def _path(self, requests: Sequence[PictureRequest]) -> Path:
        # The photo itself is known by its hash.
        values = [asdict(replace(request, photo=None, lora_scale=0.0)) for request in requests]
        text = json_text({"identity": self.identity, "requests": values}, sort_keys=True, ensure_ascii=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.png"
