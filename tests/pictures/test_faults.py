import numpy as np
import pytest

from gentra_lora.photos.folder import find_files
from gentra_lora.photos.photo import open_upright
from gentra_lora.pictures.faults import fault_of
from tests.conftest import ROOT


def noise(low, high):
    return np.random.default_rng(1).integers(low, high, (16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_picture_of_one_colour_is_blank(value):
    assert fault_of(np.full((16, 16, 3), value, np.uint8)) == "blank"


def test_picture_whose_values_are_mostly_at_the_ends_is_clipped():
    assert fault_of(np.where(noise(0, 2) > 0, 255, 0).astype(np.uint8)) == "clipped"
    assert fault_of(noise(20, 230)) is None


def test_no_real_photo_of_the_demo_has_a_fault_the_night_and_snow_among_them():
    for path in find_files(ROOT / "data/demo/images")[0].values():
        assert fault_of(np.asarray(open_upright(path))) is None, path
