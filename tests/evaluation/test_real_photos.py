from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from gentra_lora.evaluation.features import FeatureModel
from gentra_lora.evaluation.real_photos import measure_photos, nearest_photos, open_processed
from tests.evaluation.test_plan import plain
from tests.evaluation.test_score_rows import REAL
from tests.scored import write_rows


@pytest.fixture
def rows(tmp_path):
    return write_rows(tmp_path)


@pytest.fixture
def measured(rows, tmp_path, tiny_clip):
    model = FeatureModel("key", str(tiny_clip), None, torch.device("cpu"))
    photos = open_processed(tmp_path, rows, 64)
    return photos, measure_photos(photos, rows, model, model, plain, None), model


def test_photos_are_their_centre_at_the_pictures_size(measured):
    assert {picture.shape for picture in measured[0].values()} == {(64, 64, 3)}


def test_ceiling_is_the_training_photo_of_the_nearest_caption(measured):
    photos, real, model = measured
    features = dict(zip(photos, model.of_pictures(list(photos.values())), strict=True))
    # The captions of photos 4, 5 and 6 are those of 0, 1 and 2.
    for n in range(3):
        wanted = float((features[f"{n}.png"] * features[f"{n + 4}.png"]).sum())
        assert real.ceiling[n] == pytest.approx(wanted, abs=1e-5)


def test_photos_of_a_prompts_scene_are_the_two_of_the_nearest_captions_and_those_of_the_same_words():
    held_out, train = REAL.held_out_features, REAL.train_features
    pairs = {"A": (held_out[0], train[0]), "B": (held_out[1], train[1])}  # by their captions
    captions = torch.eye(3)
    found = REAL.spread_near(captions[:2])
    assert found.tolist() == pytest.approx([1 - float(one @ other) for one, other in pairs.values()])
    alike = replace(REAL, caption_features=captions[:1].repeat(5, 1)).spread_near(captions[:1])
    features = torch.cat([held_out, train])
    every = [1 - float(one @ other) for one, other in combinations(features, 2)]
    assert alike.tolist() == pytest.approx([sum(every) / len(every)])


def test_real_photo_beside_a_prompt_is_the_one_of_the_nearest_caption(rows, measured):
    photos, _, model = measured
    (found,) = nearest_photos(["a gentra, view 3"], rows, photos, model, plain)
    assert np.array_equal(found, photos["3.png"])


def test_threshold_is_what_few_held_out_photos_exceed():
    similarity = (REAL.held_out_features @ REAL.train_features.T).max(dim=1).values
    assert similarity.min() < REAL.copy_threshold < similarity.max()
