"""Which photos are held out: drawn by content, so that hardly any photo crosses because others come or go."""

import hashlib
from collections.abc import Collection, Sequence

from gentra_lora.errors import InputError


class SplitError(InputError):
    """All photos would land in one split; the message says which share would change that."""


def splits_of(keys: Sequence[str], groups: Collection[Collection[int]], held_out_share: float) -> list[str]:
    """Return "held_out" or "train" for each photo.

    Groups of photos that belong together are ranked by the hash of their smallest key, as a share of the largest hash;
    those under `held_out_share` are held out. Where that strays from the asked number by more than one photo, groups
    next to the border change sides while this brings it nearer. So one photo more moves at most one other, if each
    is alone in its group; most often none.

    Args:
        keys: a text for each photo: the sha256 of its content, or the name of its shoot.
        groups: sets of photo numbers, every photo in one of them.

    Raises:
        SplitError: no photo would be held out, or none be left to train on.
    """
    drawn: dict[int, float] = {}  # photo number -> in [0, 1)
    for members in groups:
        # Hashed anew: the smallest of many keys is a small one, and large groups would be held out more often.
        digest = hashlib.sha256(f"split/{min(keys[n] for n in members)}".encode()).digest()
        drawn.update(dict.fromkeys(members, int.from_bytes(digest[:8], "big") / 2**64))
    if len(groups) == 1:
        raise SplitError(
            f"all {len(keys)} photos belong together (as one shoot, or near-duplicates), and no prepare.held_out_share "
            "can divide them; add photos that show something else"
        )
    shares = [drawn[n] for n in range(len(keys))]
    ranked = sorted(groups, key=lambda members: drawn[min(members)])
    border = sum(drawn[min(members)] < held_out_share for members in ranked)
    border = _moved(border, [len(members) for members in ranked], held_out_share * len(keys))
    _refuse_empty(border, len(groups), shares, held_out_share)
    held_out = {n for members in ranked[:border] for n in members}
    return ["held_out" if n in held_out else "train" for n in range(len(keys))]


def _moved(border: int, sizes: Sequence[int], asked: float) -> int:
    """Return how many of the ranked groups are held out: `border`, or more or fewer where that strays too far."""
    count = sum(sizes[:border])
    while abs(count - asked) > 1:
        step = 1 if count < asked else -1
        crossing = sizes[border if step > 0 else border - 1]
        nearer = abs(count + step * crossing - asked) < abs(count - asked)
        if not nearer or not 0 < border + step < len(sizes):
            break
        border, count = border + step, count + step * crossing
    return border


def _refuse_empty(border: int, groups: int, shares: Sequence[float], held_out_share: float) -> None:
    at = f"prepare.held_out_share: at {held_out_share:g}"
    if border == 0:
        raise SplitError(
            f"{at} none of {len(shares)} photos is held out, and nothing could be measured; "
            f"add photos, or raise it to {_share_near(held_out_share, shares)}"
        )
    if border == groups:
        raise SplitError(
            f"{at} all of {len(shares)} photos are held out, and none is left to train on; "
            f"add photos, or lower it to {_share_near(held_out_share, shares)}"
        )


def _share_near(asked: float, shares: Sequence[float]) -> float:
    """Return the share near the asked one that leaves photos on both sides, in as few digits as tell them apart."""
    low, high = min(shares), max(shares)
    for digits in range(3, 17):
        half = 0.5 * 10**-digits
        share = round(low + half if asked <= low else high - half, digits)
        if low < share <= high:
            return share
    return high
