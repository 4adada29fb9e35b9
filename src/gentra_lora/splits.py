"""Which photos are held out: decided by content alone, so that no photo ever crosses because others come or go."""

import hashlib

from gentra_lora.errors import InputError


class SplitError(InputError):
    """All photos would land in one split; the message says which share would change that."""


def splits_of(keys, groups, held_out_share):
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
    drawn = {}  # photo number -> in [0, 1)
    for members in groups:
        # Hashed anew: the smallest of many keys is a small one, and large groups would be held out more often.
        digest = hashlib.sha256(f"split/{min(keys[n] for n in members)}".encode()).digest()
        drawn.update(dict.fromkeys(members, int.from_bytes(digest[:8], "big") / 2**64))
    shares = [drawn[n] for n in range(len(keys))]
    if not any(share < held_out_share for share in shares):
        raise SplitError(
            f"prepare.held_out_share: at {held_out_share:g} none of {len(keys)} photos is held out, and nothing could "
            f"be measured; add photos: the lowest share that holds one of these out is {min(shares) + 0.0005:.3f}"
        )
    if all(share < held_out_share for share in shares):
        raise SplitError(
            f"prepare.held_out_share: at {held_out_share:g} all of {len(keys)} photos are held out, and none is left "
            f"to train on; lower it below {max(shares):.3f}, or add photos"
        )
    return ["held_out" if share < held_out_share else "train" for share in shares]
