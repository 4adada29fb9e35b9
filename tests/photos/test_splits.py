import hashlib
import random
import re
from functools import cache

import pytest

from gentra_lora.photos.alike.groups import groups_of
from gentra_lora.photos.splits import SplitError, splits_of

SEEDS = range(100)


def alone(count):
    return [{n} for n in range(count)]


def keys(count, start=0):
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(start, start + count)]


@cache
def history(seed):
    """Return [{key: (split, keys of its group)}] of a set of photos that come, go and turn out to be near others."""
    rng = random.Random(seed)
    photos = {f"{rng.getrandbits(256):064x}" for _ in range(30)}
    near, states = set(), []
    for _ in range(12):
        photos |= {f"{rng.getrandbits(256):064x}" for _ in range(rng.randrange(8))}
        photos -= set(rng.sample(sorted(photos), rng.randrange(4)))
        near.add(tuple(rng.sample(sorted(photos), 2)))
        order = rng.sample(sorted(photos), len(photos))
        place = {key: n for n, key in enumerate(order)}
        groups = groups_of(len(order), [(place[a], place[b]) for a, b in near if a in place and b in place])
        splits = splits_of(order, groups, 0.2)
        states.append({order[n]: (splits[n], frozenset(order[m] for m in group)) for group in groups for n in group})
    return states


SETS = [(5, 0.3), (13, 0.3), (50, 0.12), (60, 0.2), (200, 0.1)]


@pytest.mark.parametrize(("count", "share"), SETS)
def test_held_out_photos_are_the_asked_number_within_one(count, share):
    for start in range(0, 200 * count, count):
        held_out = splits_of(keys(count, start), alone(count), share).count("held_out")
        assert abs(held_out - share * count) <= 1


@pytest.mark.parametrize(("count", "share"), SETS)
def test_photo_that_comes_moves_at_most_one_other(count, share):
    for start in range(0, 200 * (count + 1), count + 1):
        some = keys(count + 1, start)
        before, after = (splits_of(some[:size], alone(size), share) for size in (count, count + 1))
        assert sum(a != b for a, b in zip(before, after, strict=False)) <= 1


def test_photos_drawn_near_the_asked_number_are_those_under_the_share():
    some = keys(60)
    drawn = [int(hashlib.sha256(f"split/{key}".encode()).hexdigest()[:16], 16) / 2**64 < 0.2 for key in some]
    assert abs(sum(drawn) - 12) <= 1
    assert [split == "held_out" for split in splits_of(some, alone(60), 0.2)] == drawn


def test_groups_come_as_near_to_the_asked_number_as_they_can():
    for start in range(0, 6000, 60):
        groups = [set(range(n, n + 3)) for n in range(0, 60, 3)]
        held_out = splits_of(keys(60, start), groups, 0.2).count("held_out")
        assert abs(held_out - 12) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_photos_that_belong_together_are_in_one_split(seed):
    for state in history(seed):
        assert all(state[key][0] == split for split, group in state.values() for key in group)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_photo_is_in_one_split_and_none_is_empty(seed):
    assert all({split for split, _ in state.values()} == {"train", "held_out"} for state in history(seed))


def test_photo_that_joins_a_group_with_a_larger_key_moves_at_most_one_other():
    some = sorted(keys(40))
    before = splits_of(some, alone(40), 0.3)
    grown = splits_of([*some, "g" * 64], [*alone(40)[1:], {0, 40}], 0.3)
    assert sum(a != b for a, b in zip(before, grown, strict=False)) <= 1 and grown[40] == grown[0]


def test_about_the_asked_share_is_held_out():
    assert splits_of(keys(1000), alone(1000), 0.2).count("held_out") == pytest.approx(200, abs=40)


def test_groups_of_five_are_held_out_no_more_often_than_single_photos():
    groups = [set(range(n, n + 5)) for n in range(0, 5000, 5)]
    assert splits_of(keys(5000), groups, 0.2).count("held_out") == pytest.approx(1000, abs=200)


def test_higher_share_moves_photos_only_out_of_training():
    lower, higher = (splits_of(keys(200), alone(200), share) for share in (0.2, 0.3))
    assert all(after == "held_out" for before, after in zip(lower, higher, strict=True) if before == "held_out")


def test_no_photo_held_out_is_an_error_with_the_way_out():
    with pytest.raises(
        SplitError, match=r"^prepare\.held_out_share: at 1e-06 none of 3 photos is held out, .* raise it"
    ):
        splits_of(keys(3), alone(3), 1e-6)


def test_nothing_left_to_train_on_is_an_error_with_the_way_out():
    with pytest.raises(
        SplitError, match=r"^prepare\.held_out_share: at 1 all of 3 photos are held out, .* lower it to"
    ):
        splits_of(keys(3), alone(3), 1.0)


# Among 3000 pairs there are some whose photos a share of three digits does not tell apart.
@pytest.mark.parametrize(("count", "sets"), [(2, 3000), (5, 300)])
@pytest.mark.parametrize("asked", [1e-9, 1.0])
def test_share_that_the_error_names_would_do(count, sets, asked):
    for start in range(0, count * sets, count):
        some = keys(count, start)
        with pytest.raises(SplitError) as caught:
            splits_of(some, alone(count), asked)
        share = float(re.search(r"(?:raise|lower) it to (\S+)$", str(caught.value))[1])
        assert set(splits_of(some, alone(count), share)) == {"train", "held_out"}


@pytest.mark.parametrize("asked", [1e-9, 0.5, 1.0])
def test_photos_that_all_belong_together_are_an_error_that_no_share_would_mend(asked):
    with pytest.raises(SplitError, match=r"^all 3 photos belong together .* add photos that show something else$"):
        splits_of(keys(3), [{0, 1, 2}], asked)
