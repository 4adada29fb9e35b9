import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from gentra_lora.photos.alike.excerpts import FINE, excerpt_pairs, small_picture
from gentra_lora.photos.photo import open_upright
from tests.conftest import ROOT


def scenery(seed, size=(320, 240)):
    """Clouds of many sizes: as much in them as in a photo, and each another."""
    rng, total = np.random.default_rng(seed), np.zeros((size[1], size[0], 3))
    for side in (3, 6, 12, 24):
        grid = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        total += np.asarray(grid.resize(size, Image.Resampling.BICUBIC), dtype=float)
    return Image.fromarray((total / 4).astype(np.uint8))


def pairs_of(*images):
    return excerpt_pairs([small_picture(image) for image in images])


@pytest.fixture(scope="module")
def ordinary_cars():
    sys.path.insert(0, str(ROOT / "demo"))
    captions, renderer = __import__("captions"), __import__("renderer")
    sys.path.remove(str(ROOT / "demo"))
    return [Image.fromarray(renderer.render(captions.ordinary(n, 2, "wing")[0], 96)) for n in range(50)]


def test_picture_compared_keeps_its_shape():
    assert small_picture(scenery(1)).shape == (FINE * 3 // 4, FINE, 3)


@pytest.mark.parametrize("share", [0.65, 0.8, 0.9])
@pytest.mark.parametrize("place", [(0, 0), (0.5, 0.5), (1, 0.3)])
def test_cut_lies_within_its_photo_at_every_place(share, place):
    image = scenery(2)
    width, height = round(320 * share), round(240 * share)
    left, top = round((320 - width) * place[0]), round((240 - height) * place[1])
    assert pairs_of(image, image.crop((left, top, left + width, top + height))) == [(0, 1)]


def test_photo_lies_within_a_screen_that_is_full_of_other_things():
    image = scenery(3)
    screen = Image.effect_noise((330, 600), 90).convert("RGB")
    screen.paste(image, (5, 150))
    assert pairs_of(screen, scenery(4), image) == [(0, 2)]


def test_two_cuts_of_which_neither_holds_the_other_are_no_pair():
    image = scenery(5)
    assert pairs_of(image.crop((0, 0, 200, 240)), image.crop((120, 0, 320, 240))) == []


def test_same_shapes_in_other_colours_are_no_pair():
    image = scenery(6)
    red, green, blue = image.split()
    assert pairs_of(image, Image.merge("RGB", (blue, red, green))) == []


def test_smooth_pictures_lie_within_nothing():
    sky = Image.linear_gradient("L").resize((320, 240)).convert("RGB")
    flat = Image.new("RGB", (320, 240), "grey")
    assert pairs_of(flat, flat, sky.filter(ImageFilter.GaussianBlur(9)), scenery(7)) == []


def test_none_of_60_photos_of_the_demo_lies_within_another():
    assert pairs_of(*(open_upright(path) for path in (ROOT / "data/demo/images").iterdir())) == []


def test_of_50_ordinary_cars_none_lies_within_another(ordinary_cars):
    assert pairs_of(*ordinary_cars) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_have_no_pair(count):
    assert pairs_of(*[scenery(8)] * count) == []
