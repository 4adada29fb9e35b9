import random

import pytest

from gentra_lora.duplicates import groups_of
from gentra_lora.splits import SplitError, splits_of


def alone(count):
    return [{n} for n in range(count)]


def keys(count):
    return [f"{n:064x}" for n in range(count)]


@pytest.mark.parametrize("seed", range(100))
def test_growing_and_shrinking_sets_move_only_photos_whose_group_changed(seed):
    rng = random.Random(seed)
    photos = {f"{rng.getrandbits(256):064x}" for _ in range(30)}
    near, before, groups_before = set(), {}, {}
    for _ in range(12):
        photos |= {f"{rng.getrandbits(256):064x}" for _ in range(rng.randrange(8))}
        photos -= set(rng.sample(sorted(photos), rng.randrange(4)))
        near.add(tuple(rng.sample(sorted(photos), 2)))
        order = rng.sample(sorted(photos), len(photos))
        place = {key: n for n, key in enumerate(order)}
        groups = groups_of(len(order), [(place[a], place[b]) for a, b in near if a in place and b in place])
        splits = splits_of(order, groups, 0.2)
        assert set(splits) == {"train", "held_out"}
        now, groups_now = dict(zip(order, splits, strict=True)), {}
        for members in groups:
            assert len({splits[n] for n in members}) == 1
            groups_now |= {order[n]: frozenset(order[m] for m in members) for n in members}
        for key in before.keys() & now.keys():
            if groups_now[key] == groups_before[key]:
                assert now[key] == before[key]
        before, groups_before = now, groups_now


def test_about_the_asked_share_is_held_out():
    assert splits_of(keys(1000), alone(1000), 0.2).count("held_out") == pytest.approx(200, abs=40)


def test_large_groups_are_held_out_no_more_often_than_single_photos():
    groups = [set(range(n, n + 5)) for n in range(0, 5000, 5)]
    assert splits_of(keys(5000), groups, 0.2).count("held_out") == pytest.approx(1000, abs=200)


def test_shoot_keeps_its_side_whatever_joins_it():
    many = [f"shoot {n}" for n in range(40)]
    before = splits_of(many, alone(40), 0.3)
    grown = splits_of(many + ["shoot 7"], [*({n} for n in range(40) if n != 7), {7, 40}], 0.3)
    assert grown == [*before, before[7]]


@pytest.mark.parametrize("seed", range(20))
def test_share_that_the_error_names_holds_a_photo_out(seed):
    some = [f"{seed}-{n}" for n in range(3)]
    with pytest.raises(SplitError, match="none of 3 photos is held out") as caught:
        splits_of(some, alone(3), 1e-6)
    share = float(str(caught.value).rsplit(" ", 1)[1])
    assert "held_out" in splits_of(some, alone(3), share)


def test_nothing_left_to_train_on_is_an_error_with_the_way_out():
    with pytest.raises(SplitError, match=r"at 1 all of 2 photos are held out, and none is left to train on; lower it"):
        splits_of(keys(2), alone(2), 1.0)
