"""Which photos stay together, as some of them show nearly the same."""

from collections.abc import Iterable


def groups_of(count: int, pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """Return the sets of photo numbers that pairs tie together, directly or not; every photo is in one."""
    group = {number: {number} for number in range(count)}
    for a, b in pairs:
        if group[a] is not group[b]:
            merged = group[a] | group[b]
            group.update(dict.fromkeys(merged, merged))
    return list({id(members): members for members in group.values()}.values())
