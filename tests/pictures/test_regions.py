import numpy as np
import pytest
from PIL import Image

from gentra_lora.pictures.regions import edited, filled, framed, put_back, region_of

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))


def white_in(box, size=(400, 300)):
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


@pytest.mark.parametrize(
    ("box", "padding", "size", "found"),
    [
        ((100, 100, 150, 150), 0, (64, 64), (100, 100, 150, 150)),
        ((100, 100, 150, 150), 32, (64, 64), (68, 68, 182, 182)),
        ((100, 100, 150, 120), 0, (64, 64), (100, 85, 150, 135)),  # taller, its middle where it was
        ((100, 100, 150, 150), 0, (128, 64), (75, 100, 175, 150)),
        ((0, 0, 20, 100), 10, (64, 64), (0, 0, 110, 110)),  # not beyond the photo
        ((390, 290, 400, 300), 20, (128, 64), (340, 270, 400, 300)),
        ((0, 140, 400, 160), 0, (64, 64), (0, 0, 400, 300)),  # a square of 400 does not fit into 300
    ],
)
def test_region_holds_the_white_and_its_padding_in_the_shape_that_is_drawn(box, padding, size, found):
    assert region_of(white_in(box), padding, size) == found


def test_region_of_another_shape_is_seen_whole_and_comes_back_to_its_place():
    photo = Image.linear_gradient("L").convert("RGB").resize((400, 300))
    drawn = framed(photo, (0, 0, 400, 300), (256, 256), Image.Resampling.LANCZOS)
    levels = np.array(drawn)
    assert drawn.size == (256, 256)
    assert np.array_equal(levels[0], levels[31])  # what is left over
    assert levels[32].max() < levels[223].min()
    again = put_back(levels, photo, Image.new("L", photo.size, 255), (0, 0, 400, 300))
    assert np.abs(again.astype(int) - np.array(photo)).max() <= 3


def test_what_a_mask_keeps_inside_of_a_region_and_around_it_is_byte_for_byte():
    mask = edited(white_in((120, 120, 180, 170)), inverted=False, blur=3)
    made = put_back(np.zeros((64, 64, 3), np.uint8), NOISE, mask, (100, 100, 200, 200))
    kept = np.array(mask) == 0
    assert np.array_equal(made[kept], np.array(NOISE)[kept])
    assert made[140:150, 140:160].max() == 0


def test_filled_part_has_the_colours_around_it_and_nothing_of_its_own():
    levels = np.zeros((128, 128, 3), np.uint8)
    levels[:, :64], levels[:, 64:] = (200, 0, 0), (0, 0, 200)
    levels[32:96, 32:96] = (0, 255, 0)
    found = np.array(filled(Image.fromarray(levels), white_in((32, 32, 96, 96), (128, 128)))).astype(int)
    inside = found[32:96, 32:96]
    assert inside[..., 1].max() == 0
    assert np.abs(inside[:, :2] - (200, 0, 0)).max() < 10
    assert np.abs(inside[:, -2:] - (0, 0, 200)).max() < 10
    outside = np.array(white_in((32, 32, 96, 96), (128, 128))) == 0
    assert np.array_equal(found[outside], levels[outside])


def test_filling_does_not_depend_on_what_is_under_the_mask():
    mask = white_in((100, 50, 300, 250))
    other = NOISE.copy()
    other.paste((9, 9, 9), (100, 50, 300, 250))
    assert np.array_equal(np.array(filled(NOISE, mask)), np.array(filled(other, mask)))


def test_photo_that_is_white_all_over_in_its_mask_is_filled_with_black():
    assert not np.array(filled(NOISE, Image.new("L", NOISE.size, 255))).any()


def test_mask_is_inverted_before_it_is_blurred():
    mask = white_in((100, 100, 200, 200))
    assert np.array(edited(mask, inverted=True, blur=0))[150, 150] == 0
    soft = np.array(edited(mask, inverted=True, blur=4))
    assert (soft[150, 150], soft[0, 0]) == (0, 255) and 0 < soft[150, 100] < 255
    assert edited(mask, inverted=False, blur=0) is mask
