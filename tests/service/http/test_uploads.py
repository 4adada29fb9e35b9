import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.uploads import read_upload
from tests.photos.zoo import BAD, GOOD
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo

MOST, TOLERANCE = 50_000_000, 8  # levels; lossy formats
pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore::UserWarning")


@pytest.mark.parametrize("name", GOOD)
def test_every_photo_that_prepare_opens_is_taken_upright(name, tmp_path):
    write, (size, colours) = GOOD[name]
    write(tmp_path / name)
    upload = read_upload((tmp_path / name).read_bytes(), MOST)
    assert (upload.image.mode, upload.image.size) == ("RGB", size)
    for place, colour in colours.items():
        x, y = (n % side for n, side in zip(place, size, strict=True))
        assert np.abs(np.subtract(upload.image.getpixel((x, y)), colour)).max() <= TOLERANCE


@pytest.mark.parametrize("name", [name for name in BAD if name not in ("dangling.jpg", "folder.jpg")])
def test_every_file_that_prepare_refuses_is_refused_with_a_status_of_its_kind(name, tmp_path):
    BAD[name][0](tmp_path / name)
    with pytest.raises(ServiceError) as refused:
        read_upload((tmp_path / name).read_bytes(), MOST)
    assert refused.value.status in (413, 415, 422)
    assert refused.value.param == "image"
    assert str(tmp_path) not in refused.value.message


@pytest.mark.parametrize(
    "content",
    [b"", b"<html></html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"data:image/png;base64,AAAA", b"\0"],
)
def test_what_is_no_picture_is_415(served, content):
    answer = served.redraw(content)
    assert answer.status_code == 415
    assert answer.json()["error"]["param"] == "image"


def test_truncated_photo_is_422_not_a_half_grey_picture(served):
    with io.BytesIO() as buffer:
        noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
        Image.fromarray(noise).save(buffer, "JPEG")
        content = buffer.getvalue()
    assert served.redraw(content[: len(content) // 2]).status_code == 422


@pytest.mark.parametrize("side", [9000, 13000, 20000])
def test_decompression_bomb_is_413_before_it_is_decoded(side):
    with io.BytesIO() as buffer:
        Image.new("1", (side, side)).save(buffer, "PNG")
        content = buffer.getvalue()
    assert len(content) < 60_000
    with pytest.raises(ServiceError) as refused:
        read_upload(content, MOST)
    assert refused.value.status == 413


def test_pages_are_not_counted_before_they_are_refused(monkeypatch):
    with io.BytesIO() as buffer:
        pages = [Image.new("1", (1, 1))] * 30
        pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
        content = buffer.getvalue()
    # Counting tens of thousands of pages takes a minute.
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "n_frames", property(lambda _: 1 / 0))
    with pytest.raises(ServiceError, match="holds several pictures") as refused:
        read_upload(content, MOST)
    assert refused.value.status == 422


def test_sideways_phone_photo_comes_out_upright(served):
    exif = Image.Exif()
    exif[0x0112] = 6
    with io.BytesIO() as buffer:
        Image.new("RGB", (120, 60), "red").save(buffer, "JPEG", exif=exif)
        answer = served.redraw(buffer.getvalue())
    height, width = pixels(answer.content).shape[:2]
    assert height > width


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "CMYK", "I;16", "1"])
def test_photo_of_any_mode_gives_a_picture_of_the_right_size(served, mode):
    image = Image.new("RGB", (96, 72), (10, 120, 240)).convert("RGBA" if mode == "RGBA" else "RGB")
    image = Image.new("I;16", (96, 72), 30000) if mode == "I;16" else image.convert(mode)
    with io.BytesIO() as buffer:
        image.save(buffer, "TIFF")
        answer = served.redraw(buffer.getvalue())
    assert answer.status_code == 200, answer.text
    assert pixels(answer.content).shape == (64, 72, 3)


def test_answered_picture_carries_no_exif_of_the_photo(served):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    with io.BytesIO() as buffer:
        Image.new("RGB", (96, 72)).save(buffer, "JPEG", exif=exif)
        answer = served.redraw(buffer.getvalue())
    assert not Image.open(io.BytesIO(answer.content)).getexif()


def test_global_limit_of_pil_is_as_it_was(served):
    before = Image.MAX_IMAGE_PIXELS
    served.redraw(photo())
    assert before == Image.MAX_IMAGE_PIXELS
