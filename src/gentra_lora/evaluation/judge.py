"""A judge of pictures that had no part in any other training: which of the subject's features it sees.

Its weights say how many labels each of its heads has; what the labels are, whoever trained it knows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from gentra_lora.base.files.headers import check_weights
from gentra_lora.base.files.wholeness import check_values
from gentra_lora.base.source import BaseModelError

SIDE, WIDTHS = 128, (24, 48, 80, 128, 160)
FEATURES = "features"  # the head of the subject's features, a logit each


class Judge(nn.Module):
    """pixel_values (B, 3, SIDE, SIDE) in [-1, 1] -> features (B, 160); `heads` gives logits by kind.

    Args:
        heads: {kind: number of logits}.
    """

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            blocks += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            blocks += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()] if before > 3 else []
            before = width
        self.body = nn.Sequential(*blocks)
        self.spread = nn.Linear(16 * WIDTHS[-1], WIDTHS[-1])  # of 4 x 4 places: where a part is tells what it is
        self.heads = nn.ModuleDict({kind: nn.Linear(WIDTHS[-1], count) for kind, count in heads.items()})

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return F.silu(self.spread(self.body(pixel_values).flatten(1)))

    @torch.no_grad()
    def features_shown(self, pictures: Sequence[NDArray[np.uint8]]) -> list[int]:
        """Return how many of the subject's features each picture (H, W, 3) shows."""
        resized = [Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for picture in pictures]
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in resized])).permute(0, 3, 1, 2)
        logits = [self.heads[FEATURES](self(batch.float() / 127.5 - 1)) for batch in pixels.split(100)]
        return (torch.cat(logits) > 0).sum(dim=1).tolist()


def load_judge(key: str, name: str) -> Judge:
    """Return the judge of a .safetensors file.

    Args:
        key: of the file in params.yaml, for errors.

    Raises:
        BaseModelError: no such file, not whole, or of another network.
    """
    shapes = check_weights(key, name).shapes
    counts = {path.split(".")[1]: shape[0] for path, shape in shapes.items() if path.startswith("heads.")}
    judge = Judge(counts)
    try:
        judge.load_state_dict(load_file(Path(name)))
    except RuntimeError as error:
        raise BaseModelError(f"{key}: {name} is of another network than a judge; null does without one") from error
    if FEATURES not in counts:
        raise BaseModelError(f"{key}: {name} has no head {FEATURES!r}; null does without a judge")
    check_values(key, name, "judge", judge)
    return judge.eval()
