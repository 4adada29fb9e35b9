import hashlib
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from gentra_lora.service.bodies.uploads import opened, read_upload
from gentra_lora.service.errors import ServiceError
from tests.photos.zoo import BAD, GOOD
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.serving import gated
from tests.waiting import PATIENCE

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


def png_of_array(levels):
    with io.BytesIO() as buffer:
        Image.fromarray(levels).save(buffer, "PNG")
        return buffer.getvalue()


def half_white(width=96, height=64):
    levels = np.zeros((height, width), np.uint8)
    levels[:, : width // 2] = 255
    return levels


def masked(served, mask, content=None, **values):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    data = {"prompt": "a gentra", "seed": "3", "width": "96", "height": "64"} | values
    return served.post("/v1/img2img", files={"image": content or png_of_array(noise), "mask": mask}, data=data), noise


def test_photo_is_redrawn_where_its_mask_is_white_and_kept_byte_for_byte_elsewhere(served):
    answer, noise = masked(served, png_of_array(half_white()))
    assert answer.status_code == 200, answer.text
    made = pixels(answer.content)
    assert np.array_equal(made[:, 48:], noise[:, 48:])
    assert np.abs(made[:, :48].astype(int) - noise[:, :48]).mean() > 10
    record = json.loads(Image.open(io.BytesIO(answer.content)).text["gentra"])
    assert record["mask_sha256"] == hashlib.sha256(png_of_array(half_white())).hexdigest()


def test_answer_with_a_region_put_back_has_the_photos_size_and_says_so(served):
    more = {"mask_padding": "4", "mask_content": "fill", "width": "64", "height": "64"}
    answer, noise = masked(served, png_of_array(half_white()), **more)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["X-Size"], pixels(answer.content).shape) == ("96x64", (64, 96, 3))
    assert np.array_equal(pixels(answer.content)[:, 48:], noise[:, 48:])
    state = served.get(f"/v1/jobs/{answer.headers['X-Job-ID']}").json()
    assert (state["images"][0]["width"], state["images"][0]["parameters"]["width"]) == (96, 64)


def test_padding_and_content_of_a_mask_that_is_not_there_are_refused(served):
    for field, value in (("mask_padding", "4"), ("mask_content", "fill")):
        answer = served.redraw(png_of_array(half_white()), **{field: value})
        assert answer.status_code == 422
        assert answer.json()["error"]["message"].startswith(f"{field} is of a mask, and there is none")


def test_mask_is_as_upright_as_its_photo(served):
    exif = Image.Exif()
    exif[0x0112] = 6
    with io.BytesIO() as buffer:
        Image.new("RGB", (64, 96), "red").save(buffer, "PNG", exif=exif)
        content = buffer.getvalue()
    assert masked(served, png_of_array(half_white()), content)[0].status_code == 200
    answer = masked(served, png_of_array(half_white(64, 96)), content)[0]
    assert answer.status_code == 422
    told = "mask is 64 x 96 px, and the photo upright 96 x 64; make it of the photo's size"
    assert answer.json()["error"]["message"] == told


@pytest.mark.parametrize(
    ("mask", "status", "message"),
    [
        (png_of_array(np.zeros((64, 96), np.uint8)), 422, "mask keeps every pixel of it: all is black; paint white"),
        (b"hello", 415, "mask is no picture, or a damaged one"),
        (png_of_array(half_white())[:-40], 422, "mask is damaged"),
    ],
)
def test_mask_that_says_nothing_is_refused_by_its_name(served, mask, status, message):
    answer = masked(served, mask)[0]
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, "mask")
    assert answer.json()["error"]["message"].startswith(message)


def test_mask_whose_white_lies_outside_of_the_cut_is_refused(served):
    levels = np.zeros((64, 96), np.uint8)
    levels[:, :16] = 255
    answer = masked(served, png_of_array(levels), width="64")[0]
    assert "mask keeps every pixel" in answer.json()["error"]["message"]


def test_job_with_a_mask_shows_previews_and_keeps_none_of_the_photo(served):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    files = {"image": png_of_array(noise), "mask": png_of_array(half_white())}
    values = {"prompt": "a gentra", "seed": "3", "width": "96", "height": "64", "strength": "1"}
    with gated(served) as gate:
        job = served.post("/v1/jobs", files=files, data=values).json()["id"]
        gate.wait()
        with served.get(f"/v1/jobs/{job}/events", stream=True) as events:
            gate.let()
            assert any(b'"previews":["data:image/png' in line.replace(b" ", b"") for line in events.iter_lines())
    assert served.ended(job)["state"] == "done"
    made = pixels(served.get(f"/v1/jobs/{job}/images/0").content)
    assert np.array_equal(made[:, 48:], noise[:, 48:])
    (request,) = served.service.find(job).requests
    assert (request.photo, request.mask) == (None, None)


def test_global_limit_of_pil_is_as_it_was(served):
    before = Image.MAX_IMAGE_PIXELS
    served.redraw(photo())
    assert before == Image.MAX_IMAGE_PIXELS


def test_two_large_photos_are_not_opened_at_once_and_a_small_one_waits_for_neither():
    inside, gate = threading.Semaphore(0), threading.Event()

    def read(*_):
        inside.release()
        gate.wait(PATIENCE)

    large, small = (png_of_array(half_white(side, side)) for side in (80, 40))
    with ThreadPoolExecutor(3) as pool:
        work = [pool.submit(opened, content, 10_000, "image", read) for content in (large, large, small)]
        assert inside.acquire(timeout=PATIENCE) and inside.acquire(timeout=PATIENCE)
        assert not inside.acquire(timeout=0.2)
        gate.set()
        for one in work:
            one.result(PATIENCE)
