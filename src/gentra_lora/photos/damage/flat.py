"""A decoded picture -> words on a part that decoders leave where data is lost: rows of black, grey or green."""

import numpy as np
from PIL import Image

LEAST_SHARE, LEAST_ROWS = 1 / 64, 8  # of the rows; 4 KB of an uncompressed photo are one row, and cannot be told
ONE_COLOUR = 8  # levels between darkest and brightest; JPEG's own noise on one colour is less
# What is left where data is lost: nothing (black), no difference from the middle (grey), zeros as YCbCr (green).
LEFT = {"black": (0, 0, 0), "grey": (128, 128, 128), "green": (0, 135, 0)}
TOLERANCE = 3  # levels


def flat_part(image: Image.Image) -> str | None:
    """Return what is flat in an RGB image as words that follow its name, or None."""
    extrema = [image.getchannel(band).getextrema() for band in range(3)]
    if all(high - low <= ONE_COLOUR for low, high in extrema):  # type: ignore[operator]  # of one band, two numbers
        return f"shows nothing but one colour, {tuple(round((low + high) / 2) for low, high in extrema)}"  # type: ignore[operator]
    pixels = np.asarray(image)  # (H, W, 3)
    for lines, where in ((pixels, "rows"), (pixels.swapaxes(0, 1), "columns")):
        # By ends and middle first: whole rows are compared for the few that agree there.
        probes = lines[:, [0, lines.shape[1] // 3, -1]]
        for name, colour in LEFT.items():
            near = (np.abs(probes.astype(np.int16) - colour) <= TOLERANCE).all((1, 2))
            near[near] = [(np.abs(line.astype(np.int16) - colour) <= TOLERANCE).all() for line in lines[near]]
            begin, length = _longest(near)
            if length >= max(LEAST_ROWS, LEAST_SHARE * len(lines)):
                return f"is nothing but {name} in the {where} {begin} to {begin + length - 1} of {len(lines)}"
    return None


def _longest(flags: np.ndarray) -> tuple[int, int]:
    """Return (begin, length) of the longest run of True in a bool array (N,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return 0, 0
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest] - begins[longest])
