import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from gentra_lora.base.source import BaseModelError
from gentra_lora.errors import InputError
from gentra_lora.pictures.segmentation import Segmentation, largest_thing
from tests.conftest import ROOT

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tiny_segmenter):
    return Segmentation(str(tiny_segmenter), None, CPU)


@pytest.fixture(scope="module")
def photo():
    with Image.open(ROOT / "data/demo/images/gentra1.jpg") as opened:
        return opened.crop((0, 20, 160, 120))


def test_mask_is_of_the_photos_size_and_the_same_each_time(model, photo):
    first, second = (model.mask_of(photo, 1, 0.5) for _ in range(2))
    assert (first.mode, first.size) == ("L", photo.size)
    assert 0.05 < np.array(first).mean() / 255 < 0.95
    assert np.array_equal(np.array(first), np.array(second))


def test_photo_larger_than_segments_are_cut_at_has_a_mask_of_its_own_size(model, photo):
    small, large = model.mask_of(photo, 1, 0.5), model.mask_of(photo.resize((2080, 1300)), 1, 0.5)
    assert large.size == (2080, 1300)
    apart = np.abs(np.array(large.resize(photo.size, Image.Resampling.BOX)).astype(int) - np.array(small))
    assert (apart > 64).mean() < 0.1


def test_what_is_not_seen_or_not_surely_has_no_mask(model, photo):
    assert model.mask_of(photo, 0, 0.5) is None
    assert model.mask_of(photo, 1, 0.9999) is None


def test_what_was_added_to_fill_a_rectangle_is_no_part_of_the_photo(tiny_segmenter, photo):
    model = Segmentation(str(tiny_segmenter), None, CPU)
    whole = model.mask_of(photo, 1, 0.5)
    as_it_is = model.processor

    def with_a_border(photos, return_tensors):
        inputs = as_it_is(photos, return_tensors=return_tensors)
        inputs["pixel_mask"][:, 32:] = 0
        return inputs

    model.processor = with_a_border
    upper = model.mask_of(photo, 1, 0.5)
    # The photo is now taken to be in the upper half alone.
    wanted = np.array(whole.crop((0, 0, 160, 50)).resize(photo.size)) > 128
    assert ((np.array(upper) > 128) == wanted).mean() > 0.8


def test_label_is_found_by_its_name_in_any_case(model):
    assert model.label_id("--label", " Car") == 1


def test_label_that_the_model_lacks_is_refused_with_those_that_it_has(model):
    with pytest.raises(InputError, match=r"evaluate\.class_noun: 'sedan' is no label of .*: person, car, sky"):
        model.label_id("evaluate.class_noun", "sedan")


def test_largest_thing_wins_where_it_is_more_than_half_and_more_than_the_others():
    shares = torch.zeros(3, 2, 4)
    shares[0, :, :1] = 0.9  # a small car
    shares[1, :, 1:] = 0.8  # a large one
    shares[2, :, 3] = 0.9  # a person before it
    found = largest_thing(shares, torch.tensor([0.9, 0.9, 0.9]), torch.tensor([True, True, False]))
    assert found.tolist() == [[0, 255, 255, 0]] * 2
    shares[1] *= 0.5
    alone = largest_thing(shares, torch.tensor([0.9, 0.9, 0.9]), torch.tensor([False, True, False]))
    assert not alone.any()


def test_model_of_the_hub_needs_its_revision():
    with pytest.raises(BaseModelError, match=r"--model: owner/name is no path .* needs its revision"):
        Segmentation("owner/name", None, CPU)


def test_model_of_another_kind_is_refused(tiny_clip):
    with pytest.raises(BaseModelError, match="--model: .*tiny-clip cannot be loaded"):
        Segmentation(str(tiny_clip), None, CPU)


def test_model_that_is_not_whole_is_refused(tiny_segmenter, tmp_path):
    shutil.copytree(tiny_segmenter, tmp_path / "cut")
    weights = tmp_path / "cut/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(BaseModelError, match=r"--model: .*model\.safetensors is cut"):
        Segmentation(str(tmp_path / "cut"), None, CPU)
