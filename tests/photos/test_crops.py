import numpy as np
import pytest
from PIL import Image

from gentra_lora.photos.crops import buckets, centre_crop, crop, crop_boxes, enlargement, shrink, size_of

SQUARE = (30, 30)


def test_square_aspect_is_the_resolution_whatever_the_photos_shape():
    assert size_of((4000, 1000), 768, "square") == (768, 768)


@pytest.mark.parametrize("resolution", [128, 512, 768, 1024])
def test_buckets_are_multiples_of_64_within_the_area_and_hold_the_square(resolution):
    found = buckets(resolution)
    assert (resolution, resolution) in found
    for width, height in found:
        assert width % 64 == height % 64 == 0
        assert width * height <= resolution**2
        assert resolution / 2 <= min(width, height) and max(width, height) <= 2 * resolution


def test_every_bucket_has_its_upright_twin():
    found = buckets(768)
    assert {(height, width) for width, height in found if width != height} <= set(found)


@pytest.mark.parametrize(
    ("photo", "size"),
    [((4000, 3000), (896, 640)), ((3000, 4000), (640, 896)), ((1000, 1000), (768, 768)), ((9000, 1000), (1536, 384))],
)
def test_photo_goes_to_the_bucket_of_the_nearest_shape(photo, size):
    assert size_of(photo, 768, "buckets") == size


def test_enlargement_is_told_by_the_shorter_side_in_proportion():
    assert enlargement((100, 60), (30, 30)) == 0.5
    assert enlargement((100, 60), (120, 60)) == pytest.approx(1.2)


def test_shrink_never_enlarges_and_keeps_headroom():
    image = Image.new("RGB", (60, 40))
    assert shrink(image, (32, 32), 1.5) is image
    assert shrink(image, (20, 20), 1.5).size == (45, 30)


def test_first_crop_is_the_largest_centred_box():
    assert crop_boxes("a", (100, 60), SQUARE, 3, 0.5)[0] == (20, 0, 60, 60)
    assert crop_boxes("a", (100, 60), (60, 30), 1, 0.5)[0] == pytest.approx((0, 5, 100, 50))


@pytest.mark.parametrize("size", [(30, 30), (40, 20), (20, 40)])
def test_crops_lie_inside_the_photo_and_keep_the_shape_and_the_smallest_scale(size):
    largest = crop_boxes("a", (100, 60), size, 1, 0.5)[0]
    for left, top, width, height in crop_boxes("a", (100, 60), size, 50, 0.5):
        assert width / height == pytest.approx(size[0] / size[1])
        assert 0.5 * largest[2] - 1e-9 <= width <= largest[2]
        assert 0 <= left <= 100 - width + 1e-9
        assert 0 <= top <= 60 - height + 1e-9


def test_no_crop_is_smaller_than_the_size_it_is_seen_at():
    assert min(box[2] for box in crop_boxes("a", (100, 60), (48, 48), 50, 0.1)) == 48
    assert {round(box[2], 6) for box in crop_boxes("a", (100, 60), (64, 64), 50, 0.1)} == {60}


def test_crops_depend_on_the_photo_alone():
    assert crop_boxes("a", (100, 60), SQUARE, 4, 0.5) == crop_boxes("a", (100, 60), SQUARE, 4, 0.5)
    assert crop_boxes("a", (100, 60), SQUARE, 4, 0.5)[1:] != crop_boxes("b", (100, 60), SQUARE, 4, 0.5)[1:]


def test_more_variants_leave_the_first_ones_as_they_are():
    assert crop_boxes("a", (100, 60), SQUARE, 6, 0.5)[:4] == crop_boxes("a", (100, 60), SQUARE, 4, 0.5)


def test_crop_is_resampled_to_its_size():
    image = Image.new("RGB", (50, 50))
    for box in crop_boxes("a", image.size, (64, 32), 9, 0.5):
        assert crop(image, box, (64, 32)).size == (64, 32)


def test_centre_crop_takes_the_middle():
    image = Image.new("RGB", (96, 32), "black")
    image.paste("white", (32, 0, 64, 32))
    assert np.array(centre_crop(image, 32)).min() == 255
