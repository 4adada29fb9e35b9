import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from gentra_lora.photo import (
    PhotoError,
    centre_crop,
    crop_square,
    open_upright,
    photo_paths,
    sha256_of,
    shrink,
    to_pixel_values,
)


def test_sideways_photo_is_turned_by_its_exif_tag(tmp_path):
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 10, 10, 20))  # bottom left, which is the top left of the upright photo
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    upright = open_upright(tmp_path / "a.png")
    assert upright.size == (20, 40)
    assert upright.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white_not_their_hidden_colour(tmp_path, mode):
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    if mode == "P":
        image = Image.new("P", (8, 8), 0)
        image.putpalette([255, 0, 0] + [0] * 765)
        image.info["transparency"] = 0
    image = image.convert(mode) if mode == "LA" else image
    image.save(tmp_path / "a.png")
    assert open_upright(tmp_path / "a.png").getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "1", "CMYK"])
def test_other_modes_become_rgb(tmp_path, mode):
    Image.new(mode, (8, 8)).save(tmp_path / "a.tif")
    assert open_upright(tmp_path / "a.tif").mode == "RGB"


def test_sixteen_bit_photo_is_refused_rather_than_clipped(tmp_path):
    Image.fromarray(np.full((8, 8), 30000, dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(PhotoError, match=r"a\.png: has 16 or more bits"):
        open_upright(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_file_that_cannot_be_decoded_is_named(tmp_path, content):
    path = tmp_path / "bad.jpg"
    if content is None:
        Image.new("RGB", (64, 64), "red").save(path)
        content = path.read_bytes()[:-200]
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=r"bad\.jpg: cannot be opened as a photo"):
        open_upright(path)


def test_missing_folder_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(PhotoError, match=r"no such folder; put the photos there"):
        photo_paths(tmp_path / "images")


def test_folder_without_a_photo_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(PhotoError, match="holds no photo"):
        photo_paths(tmp_path)


def test_hidden_files_are_no_photos(tmp_path):
    for name in ("b.JPG", "._b.JPG", "a.png"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in photo_paths(tmp_path)] == ["a.png", "b.JPG"]


def test_shrink_never_enlarges():
    image = Image.new("RGB", (60, 40))
    assert shrink(image, 80) is image
    assert shrink(image, 20).size == (30, 20)


def test_centre_crop_takes_the_middle():
    image = Image.new("RGB", (96, 32), "black")
    image.paste("white", (32, 0, 64, 32))
    assert np.array(centre_crop(image, 32)).min() == 255


def test_crop_square_is_resampled_to_the_resolution():
    assert crop_square(Image.new("RGB", (50, 50)), 3.5, 1.25, 40.5, 64).size == (64, 64)


def test_pixel_values_run_from_minus_one_to_one():
    image = Image.new("RGB", (4, 2), (255, 0, 0))
    pixel_values = to_pixel_values(image)
    assert pixel_values.shape == (1, 3, 2, 4)
    assert pixel_values.dtype == torch.float32
    assert pixel_values[0, :, 0, 0].tolist() == [1, -1, -1]


def test_sha256_is_of_the_files_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"car")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"car").hexdigest()
