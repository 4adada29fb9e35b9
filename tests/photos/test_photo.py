import hashlib
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from gentra_lora.photos import photo
from gentra_lora.photos.photo import PhotoError, open_photo, open_upright, sha256_of, to_pixel_values
from tests.photos.zoo import BAD, GOOD, SRGB, cmyk, cmyk_profile, quarters, saved, textured

TOLERANCE = 8  # levels; lossy formats


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("name", GOOD)
def test_photo_opens_upright_in_srgb_on_white(tmp_path, name):
    write, (size, colours) = GOOD[name]
    write(tmp_path / name)
    image = open_upright(tmp_path / name)
    assert (image.mode, image.size) == ("RGB", size)
    for place, colour in colours.items():
        x, y = (n % side for n, side in zip(place, size, strict=True))
        found = image.getpixel((x, y))
        assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= TOLERANCE, (place, found, colour)
    assert not image.info


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", BAD)
def test_file_that_cannot_be_used_is_refused_by_name_with_the_reason(tmp_path, name):
    write, reason = BAD[name]
    write(tmp_path / name)
    with pytest.raises(PhotoError, match=reason) as caught:
        open_upright(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "; " in str(caught.value)  # the way out


def test_zoo_has_sixty_kinds():
    assert len(GOOD) + len(BAD) >= 60


def test_sixteen_bit_ramp_is_scaled_not_clipped(tmp_path):
    for name in ("grey16.png", "grey16.tif", "grey16_big_endian.tif"):
        GOOD[name][0](tmp_path / name)
        levels = np.array(open_upright(tmp_path / name))
        assert levels.mean() == pytest.approx(127.5, abs=0.5)
        assert (levels.min(), levels.max()) == (0, 255)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", [name for name in BAD if "bomb" in name])
def test_bomb_is_refused_by_its_header_before_anything_is_decoded(tmp_path, monkeypatch, name):
    def decode(self):
        raise AssertionError("decoded")

    write, reason = BAD[name]
    write(tmp_path / name)
    for reader in (ImageFile.ImageFile, *ImageFile.ImageFile.__subclasses__()):  # HEIF and AVIF have their own
        monkeypatch.setattr(reader, "load", decode)
    with pytest.raises(PhotoError, match=reason):
        open_upright(tmp_path / name)


def test_large_jpeg_is_decoded_at_a_smaller_scale_where_that_is_enough(tmp_path, monkeypatch):
    textured((640, 480)).save(tmp_path / "a.jpg", quality=90)
    monkeypatch.setattr(photo, "LARGE", 100_000)
    assert open_photo(tmp_path / "a.jpg", least=lambda size: (160, 120)).image.size == (160, 120)
    assert open_photo(tmp_path / "a.jpg", least=lambda size: (161, 120)).image.size == (320, 240)
    assert open_photo(tmp_path / "a.jpg").image.size == (640, 480)
    monkeypatch.setattr(photo, "LARGE", 640 * 480)
    assert open_photo(tmp_path / "a.jpg", least=lambda size: (80, 60)).image.size == (640, 480)


def test_photo_that_memory_does_not_hold_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    textured((640, 480)).save(tmp_path / "a.jpg", quality=90)
    free = SimpleNamespace(available=640 * 480 * photo.BYTES_PER_PIXEL - 1)
    monkeypatch.setattr(photo.psutil, "virtual_memory", lambda: free)
    with pytest.raises(PhotoError, match=r"a\.jpg: 640 x 480 px, needs 0\.0 GB of memory .*; scale it down"):
        open_photo(tmp_path / "a.jpg")
    free.available += 1
    assert open_photo(tmp_path / "a.jpg")


def test_open_file_is_read_as_well_and_called_by_the_given_name(tmp_path):
    saved(quarters(), "PNG")(tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb") as file:
        assert open_upright(file, "upload").size == (64, 48)
    (tmp_path / "b.png").write_bytes(b"nothing")
    with (tmp_path / "b.png").open("rb") as file, pytest.raises(PhotoError, match="^upload: is no picture"):
        open_upright(file, "upload")


def test_format_is_told_by_the_content_not_by_the_name(tmp_path):
    saved(quarters(), "PNG")(tmp_path / "a.jpg")
    assert open_photo(tmp_path / "a.jpg").format == "PNG"


def test_missing_profile_of_a_cmyk_photo_is_noted(tmp_path):
    saved(cmyk(), "JPEG")(tmp_path / "a.jpg")
    assert open_photo(tmp_path / "a.jpg").notes == ("CMYK without a colour profile",)
    saved(cmyk(), "JPEG", icc_profile=cmyk_profile())(tmp_path / "b.jpg")
    assert open_photo(tmp_path / "b.jpg").notes == ()


def test_hidden_colour_of_see_through_pixels_becomes_white(tmp_path):
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.save(tmp_path / "a.png")
    assert open_upright(tmp_path / "a.png").getcolors() == [(16, (255, 255, 255))]


def test_profile_and_exif_do_not_travel_with_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=exif, icc_profile=SRGB)
    open_upright(tmp_path / "a.jpg").save(tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as written:
        assert (written.info, dict(written.getexif())) == ({}, {})


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg"])
def test_photo_is_read_though_its_exif_data_are_rubbish(tmp_path, name):
    Image.new("RGB", (40, 30), "red").save(tmp_path / name, exif=b"Exif\0\0" + b"\xff" * 40, lossless=True)
    photo = open_photo(tmp_path / name)
    assert (photo.image.size, photo.image.getpixel((5, 5))[0] > 250) == ((40, 30), True)
    assert all("EXIF" in note for note in photo.notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_must_not_be_read_is_named(tmp_path):
    saved(quarters(), "PNG")(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(PhotoError, match=r"a\.png: "):
        open_upright(tmp_path / "a.png")


def test_pixel_values_run_from_minus_one_to_one():
    image = Image.new("RGB", (4, 2), (255, 0, 0))
    pixel_values = to_pixel_values(image)
    assert pixel_values.shape == (1, 3, 2, 4)
    assert pixel_values.dtype == torch.float32
    assert pixel_values[0, :, 0, 0].tolist() == [1, -1, -1]


def test_sha256_is_of_the_files_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"car")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"car").hexdigest()
