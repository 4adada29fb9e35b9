"""Which photos are held out: decided by content alone, so that no photo ever crosses because others come or go."""

import hashlib
from collections.abc import Collection, Sequence

from gentra_lora.errors import InputError


class SplitError(InputError):
    """All photos would land in one split; the message says which share would change that."""


def splits_of(keys: Sequence[str], groups: Collection[Collection[int]], held_out_share: float) -> list[str]:
    """Return "held_out" or "train" for each photo.

    A group of photos that belong together is held out when the hash of its smallest key, as a share of the largest
    hash, is under `held_out_share`. Keys of other groups do not matter; a photo that joins a group changes the group's
    side only if its key becomes the smallest one.

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
    shares = [drawn[n] for n in range(len(keys))]
    if len(groups) == 1:
        raise SplitError(
            f"all {len(keys)} photos belong together (as one shoot, or near-duplicates), and no prepare.held_out_share "
            "can divide them; add photos that show something else"
        )
    at = f"prepare.held_out_share: at {held_out_share:g}"
    if not any(share < held_out_share for share in shares):
        raise SplitError(
            f"{at} none of {len(keys)} photos is held out, and nothing could be measured; "
            f"add photos, or raise it to {_share_near(held_out_share, shares)}"
        )
    if all(share < held_out_share for share in shares):
        raise SplitError(
            f"{at} all of {len(keys)} photos are held out, and none is left to train on; "
            f"add photos, or lower it to {_share_near(held_out_share, shares)}"
        )
    return ["held_out" if share < held_out_share else "train" for share in shares]


def _share_near(asked: float, shares: Sequence[float]) -> float:
    """Return the share near the asked one that leaves photos on both sides, in as few digits as tell them apart."""
    low, high = min(shares), max(shares)
    for digits in range(3, 17):
        half = 0.5 * 10**-digits
        share = round(low + half if asked <= low else high - half, digits)
        if low < share <= high:
            return share
    return high
