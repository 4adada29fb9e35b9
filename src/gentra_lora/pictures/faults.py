"""What is wrong with a picture before anybody asks what it shows."""

import numpy as np

LEAST_CONTRAST = 4.0  # standard deviation, of 255; fog and snow have 20 and more
MOST_CLIPPED = 0.5  # of the values at 0 or 255; real photos of night and snow stay below a third


def fault_of(picture: np.ndarray) -> str | None:
    """Return "blank" or "clipped", or None where a picture (H, W, 3), uint8, is neither.

    A picture that was not finite has been made black, and is blank.
    """
    if picture.std() < LEAST_CONTRAST:
        return "blank"
    return "clipped" if np.isin(picture, (0, 255)).mean() > MOST_CLIPPED else None
