import pytest
from PIL import Image

from gentra_lora.photos.damage.flat import flat_part
from tests.photos.zoo import textured


def with_band(colour, box):
    image = textured((320, 240))
    image.paste(colour, box)
    return image


@pytest.mark.parametrize(("name", "colour"), [("black", (0, 0, 0)), ("grey", (128, 128, 128)), ("green", (0, 135, 0))])
def test_rows_that_decoders_leave_are_named_by_place_and_colour(name, colour):
    assert flat_part(with_band(colour, (0, 120, 320, 240))) == f"is nothing but {name} in the rows 120 to 239 of 240"
    assert flat_part(with_band(colour, (0, 100, 320, 110))) == f"is nothing but {name} in the rows 100 to 109 of 240"


def test_columns_of_a_turned_photo_are_named_as_well():
    assert (
        flat_part(with_band((0, 0, 0), (300, 0, 320, 240))) == "is nothing but black in the columns 300 to 319 of 320"
    )


@pytest.mark.parametrize("colour", [(255, 255, 255), (120, 160, 220)])
def test_bright_sky_and_flat_backgrounds_are_not_named(colour):
    assert flat_part(with_band(colour, (0, 0, 320, 100))) is None


def test_a_few_rows_and_a_part_of_rows_are_not_named():
    assert flat_part(with_band((0, 0, 0), (0, 100, 320, 104))) is None
    assert flat_part(with_band((0, 0, 0), (0, 100, 310, 240))) is None


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (10, 200, 30)])
def test_picture_of_one_colour_is_named(colour):
    assert flat_part(Image.new("RGB", (64, 48), colour)) == f"shows nothing but one colour, {colour}"
