"""A picture without the bars of one colour that screenshots and film frames have around it."""

import numpy as np
from PIL import Image

TOLERANCE = 6  # levels; what JPEG leaves of one colour
ALL, MOST = 0.99, 0.6  # of a line's pixels; a clock and signs of a telephone take less than the rest
SOFT = 0.01  # of the lines may lie between bar and picture: JPEG mixes them; a sky ends slowly, behind roofs and trees
EDGE = 0.015  # of the picture's side, cut off with a bar: JPEG mixes what lies beside it
LEAST = 0.2  # of a side must be left; what is smaller is a thing before a smooth ground


def without_bars(image: Image.Image) -> Image.Image:
    """Return an RGB image cut to what lies between its bars; the image itself where there are none."""
    pixels = np.asarray(image).astype(np.int16)  # (H, W, 3)
    top, bottom = _bars(pixels)
    left, right = _bars(pixels[top:bottom].swapaxes(0, 1))
    smallest = min((bottom - top) / image.height, (right - left) / image.width)
    box = (left, top, right, bottom)
    return image.crop(box) if smallest >= LEAST and box != (0, 0, *image.size) else image


def _bars(lines: np.ndarray) -> tuple[int, int]:
    """Return (begin, end) of the lines (N, M, 3) between bars of one colour on both sides; of all without them."""
    colour, last = np.median(lines[0], axis=0), np.median(lines[-1], axis=0)
    if np.abs(colour - last).max() > TOLERANCE:
        return 0, len(lines)
    before, after = _bar(lines, colour), _bar(lines[::-1], colour)
    if not (before and after):
        return 0, len(lines)
    edge = round(EDGE * (len(lines) - before - after))
    return before + edge, len(lines) - after - edge


def _bar(lines: np.ndarray, colour: np.ndarray) -> int:
    """Return how many lines a bar at the beginning has: after lines of one colour alone it ends at once."""
    share = (np.abs(lines - colour).max(2) <= TOLERANCE).mean(1)  # (N,)
    others = np.flatnonzero(share < MOST)
    if not len(others):
        return 0
    plain = np.flatnonzero(share[: others[0]] >= ALL)
    end = int(plain[-1]) + 1 if len(plain) else 0
    return int(others[0]) if others[0] - end <= 2 + SOFT * len(lines) else 0
