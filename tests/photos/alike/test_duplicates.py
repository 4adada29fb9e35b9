import io

import imagehash
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from gentra_lora.photos.alike.duplicates import HASH_SIZE, looks_of, near_pairs
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


def in_screenshot(image, colour="black", signs=None):
    """Show an image on a telephone's screen, bars above and below it."""
    image = image.resize((3 * image.width, 3 * image.height))  # of JPEG's blurred edges of the bars, less is left
    screen = Image.new("RGB", (image.width, image.width * 20 // 9), colour)
    screen.paste(image, (0, (screen.height - image.height) // 2))
    if signs:
        draw = ImageDraw.Draw(screen)
        draw.text((12, 6), "12:45", fill=signs, font_size=24)
        draw.rectangle((screen.width - 60, 9, screen.width - 18, 27), fill=signs)
    return as_jpeg(screen)


def in_film_frame(image):
    image = image.resize((3 * image.width, 3 * image.height))
    frame = Image.new("RGB", (image.width * 16 // 9, image.height), "black")
    frame.paste(image, ((frame.width - image.width) // 2, 0))
    return as_jpeg(frame)


# What is done to a photo, and how many of the 60 it must leave near to what they were.
CHANGES = {
    "saved as JPEG of quality 50": (as_jpeg, 60),
    "scaled to half": (lambda image: image.resize((image.width // 2, image.height // 2)), 60),
    "scaled to double": (lambda image: image.resize((image.width * 2, image.height * 2)), 60),
    "brightened by a tenth": (lambda image: ImageEnhance.Brightness(image).enhance(1.1), 60),
    "darkened by a tenth": (lambda image: ImageEnhance.Brightness(image).enhance(0.9), 60),
    "brightened by a quarter": (lambda image: ImageEnhance.Brightness(image).enhance(1.25), 40),
    "shifted by 4 %": (lambda image: cut(image, 0.04, 0, 0, 0), 60),
    "shifted by 4 % the other way": (lambda image: cut(image, 0, 0, 0.04, 0), 60),
    "cropped by 5 %": (lambda image: cut(image, 0.025, 0.025, 0.025, 0.025), 60),
    "cut by a fifth of its sides, in the middle": (lambda image: as_jpeg(cut(image, 0.1, 0.1, 0.1, 0.1)), 60),
    "cut by a fifth of its sides, at a corner": (lambda image: as_jpeg(cut(image, 0, 0.2, 0.2, 0)), 60),
    "cut by a fifth of its area": (lambda image: as_jpeg(cut(image, 0.053, 0.053, 0.053, 0.053)), 57),
    "cut by a fifth on one side": (lambda image: as_jpeg(cut(image, 0.2, 0, 0, 0)), 60),
    "shown in a screenshot": (in_screenshot, 60),
    "shown in a light screenshot with a clock": (lambda image: in_screenshot(image, "#f5f5f5", "#141414"), 60),
    "shown in a film's frame": (in_film_frame, 60),
    "cut and shown in a screenshot": (lambda image: in_screenshot(cut(image, 0.2, 0, 0, 0.1)), 40),
}


@pytest.mark.parametrize("change", CHANGES)
def test_photo_is_near_to_itself_when_it_was(images, looks, change):
    make, least = CHANGES[change]
    changed = [looks_of(make(image)) for image in images]
    near = [near_pairs([before, after]) == [(0, 1)] for before, after in zip(looks, changed, strict=True)]
    assert sum(near) >= least


def test_the_document_tells_how_many_are_found():
    text = (ROOT / "docs/photos.md").read_text()
    for change, (_, least) in CHANGES.items():
        assert f"| {change} | {least} |" in text


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
