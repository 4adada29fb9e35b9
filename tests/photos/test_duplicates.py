import io
import random

import imagehash
import pytest
from PIL import Image, ImageEnhance

from gentra_lora.photos.duplicates import HASH_SIZE, groups_of, looks_of, near_pairs
from gentra_lora.photos.photo import open_upright
from tests.conftest import ROOT

PHOTOS = sorted((ROOT / "data/demo/images").iterdir())
ALIKE = (31, 37)  # the car from the same side, in the desert and in the snow, both bright and empty


@pytest.fixture(scope="module")
def images():
    return [open_upright(path) for path in PHOTOS]


@pytest.fixture(scope="module")
def looks(images):
    return [looks_of(image) for image in images]


def as_jpeg(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return open_upright(buffer)


def cut(image, left, top, right, bottom):
    """Cut shares of the width and the height off the sides."""
    w, h = image.size
    return image.crop((round(left * w), round(top * h), w - round(right * w), h - round(bottom * h)))


# What is done to a photo, and how many of the 60 it must leave near to what they were. A cut moves every edge, and many
# photos have little else beside a smooth ground and sky.
CHANGES = {
    "saved as JPEG of quality 50": (as_jpeg, 60),
    "scaled to half": (lambda image: image.resize((image.width // 2, image.height // 2)), 60),
    "scaled to double": (lambda image: image.resize((image.width * 2, image.height * 2)), 60),
    "brightened by a tenth": (lambda image: ImageEnhance.Brightness(image).enhance(1.1), 60),
    "darkened by a tenth": (lambda image: ImageEnhance.Brightness(image).enhance(0.9), 60),
    "brightened by a quarter": (lambda image: ImageEnhance.Brightness(image).enhance(1.25), 30),
    "shifted by 4 %": (lambda image: cut(image, 0.04, 0, 0, 0), 54),
    "shifted by 4 % the other way": (lambda image: cut(image, 0, 0, 0.04, 0), 54),
    "cropped by 5 %": (lambda image: cut(image, 0.025, 0.025, 0.025, 0.025), 36),
}


@pytest.mark.parametrize("change", CHANGES)
def test_photo_is_near_to_itself_when_it_was(images, looks, change):
    make, least = CHANGES[change]
    changed = [looks_of(make(image)) for image in images]
    near = [near_pairs([before, after]) == [(0, 1)] for before, after in zip(looks, changed, strict=True)]
    assert sum(near) >= least


def test_of_the_60_photos_of_the_demo_the_two_that_look_alike_are_near(looks):
    assert len(looks) == 60
    assert near_pairs(looks) == [ALIKE]


def test_pairs_among_many_are_numbered_in_their_order(images, looks):
    again = [looks_of(as_jpeg(images[number])) for number in (7, 3)]
    assert near_pairs([*looks, *again]) == [(3, 61), (7, 60), ALIKE]


@pytest.mark.parametrize("turn", Image.Transpose)
def test_photo_is_near_to_itself_turned_or_mirrored_and_saved_again(images, looks, turn):
    turned = [looks_of(as_jpeg(image.transpose(turn))) for image in images]
    assert all(near_pairs(list(pair)) == [(0, 1)] for pair in zip(looks, turned, strict=True))


def test_hash_is_that_of_the_whole_photo(images, looks):
    for image, look in zip(images[:5], looks, strict=False):
        assert (look.bits == imagehash.phash(image, HASH_SIZE).hash.ravel()).all()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_photos_have_no_pair(looks, count):
    assert near_pairs(looks[:count]) == []


def test_groups_tie_together_what_is_near_through_others():
    assert sorted(map(sorted, groups_of(6, [(0, 1), (3, 4), (1, 3)]))) == [[0, 1, 3, 4], [2], [5]]


def test_groups_do_not_depend_on_the_order_of_the_pairs():
    pairs = [(n, n + 1) for n in range(0, 19, 1) if n % 5 != 4]
    for seed in range(20):
        shuffled = random.Random(seed).sample(pairs, len(pairs))
        assert sorted(map(sorted, groups_of(20, shuffled))) == [list(range(n, n + 5)) for n in range(0, 20, 5)]


def test_repeated_pairs_change_nothing():
    assert sorted(map(sorted, groups_of(3, [(0, 2), (0, 2), (2, 0)]))) == [[0, 2], [1]]
