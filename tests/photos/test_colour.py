import numpy as np
import pytest
from PIL import Image

from gentra_lora.photos.colour import ColourError, eight_bits, to_srgb
from tests.photos.zoo import LINEAR_GREY, LINEAR_RGB


def test_sixteen_bits_are_rounded_to_the_nearest_of_eight():
    levels = np.array([[0, 128, 129, 32639, 65406, 65407, 65535]], np.uint16)
    scaled, alpha = eight_bits(Image.fromarray(levels))
    assert np.array(scaled).tolist() == [[0, 0, 1, 127, 254, 255, 255]]
    assert alpha is None


def test_eight_bits_stay_as_they_are():
    image = Image.new("RGB", (2, 2))
    assert eight_bits(image) == (image, None)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bits_are_refused(mode):
    with pytest.raises(ColourError, match="has 32 bits a channel; save it with 8 or 16"):
        eight_bits(Image.new(mode, (2, 2)))


@pytest.mark.parametrize(("mode", "profile"), [("RGB", LINEAR_RGB), ("L", LINEAR_GREY), ("L", LINEAR_RGB)])
def test_colours_are_converted_by_the_embedded_profile(mode, profile):
    image = Image.new(mode, (2, 2), (128,) * len(mode))
    image.info["icc_profile"] = profile
    assert to_srgb(image).getpixel((0, 0)) == pytest.approx((188, 188, 188), abs=1)


def test_one_bit_picture_may_carry_a_grey_profile():
    image = Image.new("1", (2, 2), 1)
    image.info["icc_profile"] = LINEAR_GREY
    assert to_srgb(image).getpixel((0, 0)) == (255, 255, 255)


def test_colours_without_a_profile_are_srgb_already():
    assert to_srgb(Image.new("RGB", (2, 2), (1, 2, 3))).getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("profile", [b"broken", LINEAR_GREY])
def test_profile_that_does_not_fit_is_refused_with_the_way_out(profile):
    image = Image.new("RGB", (2, 2))
    image.info["icc_profile"] = profile
    with pytest.raises(ColourError, match="its embedded colour profile cannot be used .*; save the photo as sRGB"):
        to_srgb(image)
