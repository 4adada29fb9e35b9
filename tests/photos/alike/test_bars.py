import numpy as np
import pytest
from PIL import Image, ImageDraw

from gentra_lora.photos.alike.bars import without_bars
from gentra_lora.photos.photo import open_upright
from tests.conftest import ROOT

PHOTO = open_upright(ROOT / "data/demo/images/gentra1.jpg").resize((96, 72))
ALL, ABOVE, BESIDE = (1, 1, 95, 71), (0, 1, 96, 71), (1, 0, 95, 72)  # what is left of it: a line goes with each bar


def shown(size, at, colour):
    screen = Image.new("RGB", size, colour)
    screen.paste(PHOTO, at)
    return screen


@pytest.mark.parametrize("colour", ["black", "white", "#333333", "navy"])
@pytest.mark.parametrize(
    "size, at, left", [((96, 200), (0, 64), ABOVE), ((150, 72), (30, 0), BESIDE), ((120, 90), (12, 9), ALL)]
)
def test_bars_of_one_colour_are_cut_off(colour, size, at, left):
    assert np.array_equal(without_bars(shown(size, at, colour)), PHOTO.crop(left))


def test_clock_and_battery_belong_to_the_bar():
    screen = shown((96, 200), (0, 64), "black")
    draw = ImageDraw.Draw(screen)
    draw.text((3, 3), "12:45", fill="white")
    draw.rectangle((70, 5, 90, 12), fill="white")
    assert np.array_equal(without_bars(screen), PHOTO.crop(ABOVE))


def test_photos_of_the_demo_have_no_bars_though_their_skies_and_grounds_are_smooth():
    for path in (ROOT / "data/demo/images").iterdir():
        image = open_upright(path)
        assert without_bars(image) is image, path.name


def test_sky_of_one_colour_is_no_bar_as_nothing_lies_on_the_other_side():
    image = PHOTO.copy()
    image.paste("#87ceeb", (0, 0, 96, 20))
    assert without_bars(image) is image


def test_thing_before_a_smooth_ground_stays_where_it_is():
    image = Image.new("RGB", (100, 100), "white")
    image.paste("red", (45, 45, 55, 55))
    assert without_bars(image) is image


def test_picture_of_one_colour_stays():
    image = Image.new("RGB", (60, 40), "black")
    assert without_bars(image) is image
