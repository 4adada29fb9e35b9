"""Scene -> which part of each pixel shows the car: what a mask says, from the geometry itself."""

import numpy as np
import torch

from renderer import seen_from


@torch.no_grad()
def subject_mask(scene, size, supersampling=4):
    """Return the mask of a scene, uint8 (size, size): 255 on the car, 0 beside it; its shadow is no part of it."""
    pixels = size * supersampling
    _, _, to_car, to_ground = seen_from(scene, pixels)
    seen = (to_car < to_ground).float().reshape(size, supersampling, size, supersampling).mean(dim=(1, 3))
    return (seen * 255).round().to(torch.uint8).numpy().astype(np.uint8)
