"""Photos that show nearly the same: saved again, scaled, cut a little, or shot in one burst."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

HASH_SIZE = 16  # 256 bits; with 64, views of one car in different places are as near as bursts are
# Measured on 60 photos. Saved again or scaled: at most 8 bits apart; brightened by a quarter: 10 (half of them).
SAME_SHAPE = 16
# Cut by 5 % or shifted by 4 %: 32 to 62 bits, but colours 3 to 8 levels apart, where other photos have at least 7.6
# at 54 bits or more, and photos of one view in different places 16 at 18 bits.
LIKE_SHAPE, LIKE_COLOURS = 60, 7.0
THUMBNAIL = 16  # px


@dataclass(frozen=True)
class Looks:
    """What is compared of a photo: bits bool (256,) of its perceptual hash, thumbnail (16, 16, 3) in 0-255."""

    bits: np.ndarray
    thumbnail: np.ndarray


def looks_of(image: Image.Image) -> Looks:
    """Return the Looks of an RGB image."""
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return Looks(imagehash.phash(image, HASH_SIZE).hash.ravel(), np.asarray(small, dtype=np.float32))


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

    return [(a, b) for a, b in candidates if alike(a, b)]


def groups_of(count: int, pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """Return the sets of photo numbers that pairs tie together, directly or not; every photo is in one."""
    group = {number: {number} for number in range(count)}
    for a, b in pairs:
        if group[a] is not group[b]:
            merged = group[a] | group[b]
            group.update(dict.fromkeys(merged, merged))
    return list({id(members): members for members in group.values()}.values())
