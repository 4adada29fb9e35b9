from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from gentra_lora.evaluation.real_photos import RealPhotos
from gentra_lora.evaluation.score_rows import (
    add_copying,
    add_diversity,
    add_drift,
    add_features,
    add_likeness,
    add_prompt_match,
    loss_rows,
    picture_rows,
    real_rows,
)
from tests.tiny_engine import request

A, B, C = torch.eye(3)
REAL = RealPhotos(
    ["h1.png", "h2.png"],
    ["t1.png", "t2.png", "t3.png"],
    torch.stack([A, B]),
    functional.normalize(torch.stack([A + B / 4, C, C + A]), dim=1),
    [0.9, 0.8],
    {"h1.png": 0.5, "h2.png": 0.6, "t1.png": 0.4},
    torch.stack([A, B, A, B, C]),
    {},
)
REQUESTS = [request(prompt="a", seed=1), request(prompt="a", seed=2), request(prompt="b", seed=1)]
PICTURES = [np.random.default_rng(n).integers(0, 256, (8, 8, 3), dtype=np.uint8) for n in range(3)]
FEATURES = {"adapter": torch.stack([A, B, C]), "base": torch.stack([A, A, C])}


@pytest.fixture
def rows():
    pictures = {"adapter": PICTURES, "base": [np.zeros((8, 8, 3), np.uint8)] * 3}
    return picture_rows("likeness", REQUESTS, pictures, FEATURES, ["h1.png", "h1.png", "h2.png"])


def test_each_prompt_seed_and_strength_has_its_row(rows):
    assert [(row["prompt"], row["seed"], row["adapter"]) for row in rows] == [
        *(("a", 1, True), ("a", 2, True), ("b", 1, True)),
        *(("a", 1, False), ("a", 2, False), ("b", 1, False)),
    ]
    assert [row["fault"] for row in rows] == [None] * 3 + ["blank"] * 3


def test_distance_is_among_the_seeds_of_a_prompt_and_of_one_strength(rows):
    assert [row["distance"] for row in rows] == [1, 1, None, 0, 0, None]


def test_likeness_is_to_the_photo_whose_caption_was_drawn(rows):
    add_likeness(rows, FEATURES, REAL)
    assert [row["subject_similarity"] for row in rows] == [1, 0, 0, 1, 1, 0]


def test_picture_that_is_a_training_photo_is_copied_and_named():
    features = {"adapter": REAL.train_features, "base": torch.stack([B, B, B])}
    rows = picture_rows("prompt", REQUESTS, {"adapter": PICTURES, "base": PICTURES}, features)
    add_copying(rows, features, REAL)
    assert [(row["nearest_train_photo"], row["copied"]) for row in rows[:3]] == [
        (name, True) for name in ("t1.png", "t2.png", "t3.png")
    ]
    assert not any(row["copied"] for row in rows[3:])
    assert rows[1]["nn_gap"] > 0 > rows[3]["nn_gap"]


def test_prompt_match_is_with_the_picture_of_either_strength(rows):
    add_prompt_match(rows, FEATURES, torch.stack([A, A, C]))
    assert [row["prompt_match"] for row in rows] == [1, 0, 1, 1, 1, 1]


def test_diversity_is_the_distance_between_seeds_in_units_of_real_photos(rows):
    add_diversity(rows, 0.5)
    assert [row["diversity"] for row in rows] == [2, 2, None, 0, 0, None]


def test_one_photo_drawn_over_and_over_has_no_diversity_whatever_the_base_draws():
    features = {"adapter": torch.stack([REAL.train_features[0]] * 3), "base": FEATURES["base"]}
    made = picture_rows("prompt", REQUESTS, {"adapter": PICTURES, "base": PICTURES}, features)
    add_diversity(made, float(REAL.spread_near(torch.stack([A, B])).mean()))
    assert [row["diversity"] for row in made[:2]] == [0, 0]


def test_photos_that_do_not_differ_are_no_unit(rows):
    add_diversity(rows, 0.0)
    assert [row["diversity"] for row in rows] == [None] * 6


def drifted(adapter, base):
    requests = [request(prompt=prompt, seed=seed) for prompt in ("a", "b") for seed in (1, 2)]
    features = {"adapter": torch.stack(adapter), "base": torch.stack(base)}
    pictures = [PICTURES[0]] * 4
    rows = picture_rows("drift", requests, {"adapter": pictures, "base": pictures}, features)
    add_drift(rows, features)
    assert not any("drift" in row for row in rows[4:])
    return [row["drift"] for row in rows[:4]]


def test_drift_is_exactly_zero_for_the_same_pictures():
    vectors = list(functional.normalize(torch.randn(4, 64, generator=torch.Generator().manual_seed(1)), dim=1))
    assert drifted(vectors, vectors) == [0, 0, 0, 0]


def test_drift_is_one_where_the_adapter_moves_as_far_as_the_bases_seeds_lie_apart():
    assert drifted([B, C, B, A], [A, B, B, C]) == [1, 1, 0, 1]


def test_prompt_whose_seeds_lie_close_together_has_the_unit_of_all():
    assert drifted([C, C, C, C], [A, A, A, B]) == [2, 2, 2, 2]


def test_base_that_draws_all_alike_has_no_unit():
    assert drifted([B, B, B, B], [A, A, C, C]) == [None] * 4


def test_real_rows_hold_what_could_be_reached():
    rows = real_rows(REAL)
    assert rows[0] == {"group": "real", "photo": "h1.png", "prompt_match": 0.5} | {
        "subject_similarity": 0.9,
        "nearest_train": pytest.approx(0.970143),
    }
    assert "subject_similarity" not in rows[2]


def test_judge_counts_the_features_of_both_strengths_and_of_real_photos(rows):
    judge = SimpleNamespace(features_shown=lambda pictures: [int(picture.any()) for picture in pictures])
    add_features(rows, {"adapter": PICTURES, "base": [np.zeros((8, 8, 3), np.uint8)] * 3}, judge)
    assert [row["features_shown"] for row in rows] == [1, 1, 1, 0, 0, 0]
    shown = real_rows(replace(REAL, features_shown={"h1.png": 6}))
    assert [row.get("features_shown") for row in shown] == [6, None, None]


def test_each_photo_timestep_and_strength_has_its_loss_and_band():
    errors = {"adapter": torch.arange(12.0).reshape(2, 6), "base": torch.ones(2, 6)}
    rows = loss_rows(errors, ["h1.png", "h2.png"], [0, 1, 2, 3, 4, 5])
    assert len(rows) == 24
    assert [row["loss"] for row in rows[:12]] == list(range(12))
    assert [row["band"] for row in rows[:6]] == [
        *("low_noise", "low_noise", "mid_noise", "mid_noise", "high_noise", "high_noise")
    ]
    assert len({(row["photo"], row["timestep"], row["noise"], row["adapter"]) for row in rows}) == 24
