import io

import pytest
from conftest import ROOT
from PIL import Image, ImageEnhance

from gentra_lora.duplicates import groups_of, looks_of, near_pairs
from gentra_lora.photo import open_upright

PHOTOS = sorted((ROOT / "data/demo/images").iterdir())


@pytest.fixture(scope="module")
def looks():
    return [looks_of(open_upright(path)) for path in PHOTOS]


def as_jpeg(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


CHANGES = {
    "saved again": as_jpeg,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "moved by 4 %": lambda image: image.crop((round(0.04 * image.width), 0, image.width, image.height)),
    "brightened a little": lambda image: ImageEnhance.Brightness(image).enhance(1.08),
}


@pytest.mark.parametrize("change", CHANGES)
def test_photo_that_was_changed_a_little_is_near_itself(looks, change):
    changed = [looks_of(CHANGES[change](open_upright(path))) for path in PHOTOS]
    found = sum(near_pairs([before, after]) == [(0, 1)] for before, after in zip(looks, changed, strict=True))
    assert found >= 0.9 * len(PHOTOS)


def test_no_two_photos_of_the_demo_are_near(looks):
    assert near_pairs(looks) == []


def test_pairs_are_found_among_many(looks):
    again = looks_of(as_jpeg(open_upright(PHOTOS[7])))
    assert near_pairs([*looks, again]) == [(7, len(PHOTOS))]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_photos_have_no_pair(looks, count):
    assert near_pairs(looks[:count]) == []


def test_groups_tie_together_what_is_near_through_others():
    groups = groups_of(6, [(0, 1), (3, 4), (1, 3)])
    assert sorted(map(sorted, groups)) == [[0, 1, 3, 4], [2], [5]]
