import random

from gentra_lora.photos.alike.groups import groups_of


def test_groups_tie_together_what_is_near_through_others():
    assert sorted(map(sorted, groups_of(6, [(0, 1), (3, 4), (1, 3)]))) == [[0, 1, 3, 4], [2], [5]]


def test_groups_do_not_depend_on_the_order_of_the_pairs():
    pairs = [(n, n + 1) for n in range(0, 19, 1) if n % 5 != 4]
    for seed in range(20):
        shuffled = random.Random(seed).sample(pairs, len(pairs))
        assert sorted(map(sorted, groups_of(20, shuffled))) == [list(range(n, n + 5)) for n in range(0, 20, 5)]


def test_repeated_pairs_change_nothing():
    assert sorted(map(sorted, groups_of(3, [(0, 2), (0, 2), (2, 0)]))) == [[0, 2], [1]]
