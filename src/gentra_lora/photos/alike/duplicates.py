"""Photos that show nearly the same: saved again, scaled, cut, turned, mirrored, in a screenshot, or shot in one burst.

Not seen: a tilt by a few degrees, and what excerpts.py says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from gentra_lora.photos.alike.bars import without_bars
from gentra_lora.photos.alike.excerpts import excerpt_pairs, small_picture

HASH_SIZE = 16  # 256 bits; with 64, views of one car in different places are as near as bursts are
# Measured on 60 photos. Saved again or scaled: at most 8 bits apart; brightened by a quarter: 10 (half of them).
SAME_SHAPE = 16
# Turned or mirrored and saved again: all of 420 copies; other photos, turned: 24 bits at the nearest, 39 levels apart.
# Cut by 5 % or shifted by 4 %: 32 to 62 bits, but colours 3 to 8 levels apart, where other photos have at least 7.6
# at 54 bits or more, and photos of one view in different places 16 at 18 bits.
LIKE_SHAPE, LIKE_COLOURS = 60, 7.0
THUMBNAIL = 16  # px
TURNS = tuple(Image.Transpose)  # the seven other ways in which a picture can lie on its sides


@dataclass(frozen=True)
class Looks:
    """What is compared of a photo: bits bool (256,) of its perceptual hash, thumbnail (16, 16, 3) in 0-255.

    `turned` are bits (7, 256) and thumbnails (7, 16, 16, 3) of the photo turned and mirrored, in the order of TURNS.
    `picture` uint8 (H, W, 3) is what may lie within another's, as excerpts.py compares them.
    """

    bits: np.ndarray
    thumbnail: np.ndarray
    turned: tuple[np.ndarray, np.ndarray]
    picture: np.ndarray


def looks_of(image: Image.Image) -> Looks:
    """Return the Looks of an RGB image, without bars around it."""
    image = without_bars(image)
    # The size at which imagehash looks: turning this is the same as turning the photo, and far cheaper.
    side = 4 * HASH_SIZE
    grey = image.convert("L").resize((side, side), Image.Resampling.LANCZOS)
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    bits = np.stack([_bits(grey.transpose(turn)) for turn in TURNS])
    thumbnails = np.stack([np.asarray(small.transpose(turn), dtype=np.float32) for turn in TURNS])
    return Looks(_bits(grey), np.asarray(small, dtype=np.float32), (bits, thumbnails), small_picture(image))


def _bits(grey: Image.Image) -> np.ndarray:
    return imagehash.phash(grey, HASH_SIZE).hash.ravel()


def near_pairs(looks: Sequence[Looks]) -> list[tuple[int, int]]:
    """Return the pairs (a, b), a < b, of photo numbers that show nearly the same."""
    if len(looks) < 2:
        return []
    bits = np.stack([look.bits for look in looks]).astype(np.int32)
    agree = bits @ bits.T + (1 - bits) @ (1 - bits).T
    distance = bits.shape[1] - agree  # (N, N)
    candidates = np.argwhere(np.triu(distance <= LIKE_SHAPE, 1)).tolist()

    def alike(a: int, b: int) -> bool:
        difference = np.abs(looks[a].thumbnail - looks[b].thumbnail).mean()
        return distance[a, b] <= SAME_SHAPE or difference <= LIKE_COLOURS

    upright = [(a, b) for a, b in candidates if alike(a, b)]
    return sorted({*upright, *_turned_pairs(looks, bits), *excerpt_pairs([look.picture for look in looks])})


def _turned_pairs(looks: Sequence[Looks], bits: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the pairs (a, b), a < b, of which one is the other, turned or mirrored.

    Both shape and colours must agree: a car's two sides mirror each other, and only the light tells them apart.
    """
    for turn in range(len(TURNS)):
        turned = np.stack([look.turned[0][turn] for look in looks]).astype(np.int32)
        agree = bits @ turned.T + (1 - bits) @ (1 - turned).T
        for a, b in np.argwhere(bits.shape[1] - agree <= SAME_SHAPE).tolist():
            difference = np.abs(looks[a].thumbnail - looks[b].turned[1][turn]).mean()
            if a != b and difference <= LIKE_COLOURS:
                yield min(a, b), max(a, b)
