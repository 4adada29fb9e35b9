import io

import numpy as np
import pytest
import torch
from PIL import Image

from gentra_lora.photos.dataset import prepare_photo
from gentra_lora.photos.masks import find_masks, mask_crops, opacity_of, open_mask, prepare_masks, upright_size
from gentra_lora.photos.photo import PhotoError, open_upright, sha256_of

MASK = Image.new("L", (96, 64))
MASK.paste(255, (32, 16, 64, 48))


def file_of(image, kind="PNG", **more):
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_mask_of_any_mode_is_its_brightness(mode):
    mask = MASK.convert("I").point(lambda level: level * 257).convert("I;16") if mode == "I;16" else MASK.convert(mode)
    assert np.array_equal(np.array(open_mask(file_of(mask), "mask")), np.array(MASK))


def test_mask_with_transparent_parts_is_its_opacity():
    strokes = Image.new("RGBA", MASK.size, (200, 0, 0, 0))
    strokes.putalpha(MASK)
    assert np.array_equal(np.array(open_mask(file_of(strokes), "mask")), np.array(MASK))
    whole = MASK.convert("RGBA")  # opaque all over
    assert np.array_equal(np.array(open_mask(file_of(whole), "mask")), np.array(MASK))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".heic", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_that_a_photo_is_seen_at_is_told_by_its_header(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    MASK.convert("RGB").save(path, exif=exif.tobytes())
    assert upright_size(path) == open_upright(path).size == ((64, 96) if orientation > 4 else (96, 64))


@pytest.mark.parametrize("orientation", [3, 6])
def test_opacity_of_a_tiff_is_turned_as_its_picture(tmp_path, orientation):
    exif, photo = Image.Exif(), MASK.convert("RGBA")
    exif[0x0112] = orientation
    photo.putalpha(Image.linear_gradient("L").resize(MASK.size))
    Image.merge("RGBA", [photo.getchannel("A")] * 4).save(tmp_path / "a.tif", exif=exif.tobytes())
    opacity = opacity_of(tmp_path / "a.tif")
    seen = np.asarray(open_upright(tmp_path / "a.tif").convert("L"))  # on white: 255 where nothing is seen
    assert opacity.size == (seen.shape[1], seen.shape[0])
    level = np.asarray(opacity) / 255
    assert np.abs(level * level + 1 - level - seen / 255).max() < 0.02


def test_mask_that_is_no_picture_is_refused_by_its_name():
    with pytest.raises(PhotoError, match="mask: is no picture"):
        open_mask(io.BytesIO(b"hello"), "mask")


def prepared(folder, mask=None, alpha_as_mask=False, name="car.png", photo=None):
    """Return the Masks of one photo with a mask file, and the mask that was written, or None."""
    for place in ("images", "masks"):
        (folder / place).mkdir()
    photo = photo or Image.linear_gradient("L").resize((96, 64)).convert("RGB")
    exif = photo.getexif()
    photo.save(folder / "images" / name, exif=exif)
    if mask:
        mask.save(folder / "masks/car.png")
    photos = {name: folder / "images" / name}
    rows = [prepare_photo(photos[name], name, folder / "out/images", 32, "square")]
    masks = prepare_masks(folder / "masks", photos, rows, alpha_as_mask, folder / "out")
    written = folder / "out/masks/car.png"
    return masks, open_mask(written, "mask") if written.exists() else None


def test_mask_is_written_at_the_size_of_its_picture_and_known_by_its_content(tmp_path):
    masks, written = prepared(tmp_path, MASK)
    assert written.mode == "L" and written.size == open_upright(tmp_path / "out/images/car.png").size == (72, 48)
    assert (written.getpixel((36, 24)), written.getpixel((2, 2))) == (255, 0)
    assert masks.digests == {"car.png": sha256_of(tmp_path / "out/masks/car.png")}
    assert masks.problems == masks.notes == []


def test_photo_on_its_side_has_the_mask_of_what_is_seen(tmp_path):
    photo = Image.new("RGB", (64, 96), "green")
    photo.getexif()[0x0112] = 6
    masks, written = prepared(tmp_path, MASK, name="car.jpg", photo=photo)
    assert written.size == (72, 48) and not masks.problems


def test_mask_of_another_size_is_refused_with_both(tmp_path):
    masks, _ = prepared(tmp_path, MASK.resize((48, 32)))
    assert masks.problems == [
        f"{tmp_path}/masks/car.png: is 48 x 32 px, but car.png is seen at 96 x 64; "
        "make the mask from the upright photo, at its full size"
    ]


def test_mask_of_a_photo_that_is_not_turned_yet_is_refused_with_the_reason(tmp_path):
    masks, _ = prepared(tmp_path, MASK.transpose(Image.Transpose.ROTATE_90))
    assert "is seen at 96 x 64 (its EXIF tag turns it)" in masks.problems[0]


def test_black_mask_is_refused(tmp_path):
    masks, _ = prepared(tmp_path, Image.new("L", (96, 64)))
    assert "masks/car.png: is black all over" in masks.problems[0]


def test_mask_that_is_no_picture_is_a_problem_by_its_path(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/car.png").write_bytes(b"hello")
    photo = tmp_path / "car.png"
    Image.new("RGB", (96, 64)).save(photo)
    rows = [prepare_photo(photo, "car.png", tmp_path / "out/images", 32, "square")]
    masks = prepare_masks(tmp_path / "masks", {"car.png": photo}, rows, False, tmp_path / "out")
    assert masks.problems[0].startswith(f"{tmp_path}/masks/car.png: is no picture")


def seen_through(opaque):
    photo = Image.new("RGB", (96, 64), "green")
    photo.putalpha(opaque)
    return photo


def test_own_transparency_is_the_mask_where_that_is_asked_for(tmp_path):
    _, written = prepared(tmp_path, alpha_as_mask=True, photo=seen_through(MASK))
    assert (written.getpixel((36, 24)), written.getpixel((2, 2))) == (255, 0)


def test_own_transparency_is_no_mask_unasked(tmp_path):
    masks, written = prepared(tmp_path, photo=seen_through(MASK))
    assert written is None and masks.digests == {}


def test_opaque_photo_has_no_mask_of_its_own(tmp_path):
    assert prepared(tmp_path, alpha_as_mask=True)[1] is None


def test_mask_file_goes_before_the_photos_own_transparency(tmp_path):
    _, written = prepared(tmp_path, Image.new("L", (96, 64), 255), alpha_as_mask=True, photo=seen_through(MASK))
    assert written.getextrema() == (255, 255)


def test_mask_belongs_to_the_photo_of_its_name_whatever_the_endings_and_case(tmp_path):
    (tmp_path / "road").mkdir()
    for name in ("a.png", "road/B.webp"):
        (tmp_path / name).write_bytes(b"")
    found, problems = find_masks(tmp_path, ["a.jpg", "road/b.jpg", "c.jpg"])
    assert found == {"a.jpg": tmp_path / "a.png", "road/b.jpg": tmp_path / "road/B.webp"} and not problems


def test_mask_without_a_photo_is_a_problem_that_names_the_nearest(tmp_path):
    (tmp_path / "gentra_01.png").write_bytes(b"")
    _, problems = find_masks(tmp_path, ["gentra_1.jpg", "other.jpg"])
    assert problems == [
        f"{tmp_path}/gentra_01.png: no photo is called so (did you mean the mask of gentra_1.jpg?); rename or remove it"
    ]


def test_two_masks_of_one_photo_are_a_problem(tmp_path):
    for name in ("a.png", "a.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert "a.jpg, a.png: the same name but for ending" in find_masks(tmp_path, ["a.jpg"])[1][0]


def test_crop_of_a_mask_has_the_mean_of_what_each_latent_covers():
    crops = mask_crops(MASK, [(0, 0, 96, 64), (16, 16, 32, 32)], (4, 4))
    assert crops.shape == (2, 1, 4, 4)
    # Columns of 24 px: the subject is in 16 of the second's and 16 of the third's.
    torch.testing.assert_close(crops[0, 0, 1], torch.tensor([0, 16 / 24, 16 / 24, 0]), atol=0.01, rtol=0)
    assert crops[1, 0].tolist() == [[0, 0, 1, 1]] * 4
