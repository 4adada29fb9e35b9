import base64
import io
import json

import numpy as np
import pytest
from openai import APIStatusError
from PIL import Image, ImageOps

from gentra_lora.photos.photo import sha256_of
from gentra_lora.pictures.masks import file_of
from gentra_lora.pictures.record import read_record
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo
from tests.service.openai.clients import opened

SQUARE = 16, 16, 48, 48  # is to be drawn anew
HOLE = Image.new("L", (96, 64), 255)
HOLE.paste(0, SQUARE)
ASKED = {"prompt": "a gentra", "size": "96x64", "extra_body": {"seed": 3, "strength": 0.7}}
OURS = {"prompt": "a gentra", "seed": "3", "strength": "0.7", "width": "96", "height": "64"}


def holed(opacity, image=None):
    """Return the PNG of an image with an opacity."""
    image = (image or Image.new("RGB", opacity.size)).copy()
    image.putalpha(opacity)
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG")
        return buffer.getvalue()


@pytest.fixture(scope="module")
def ours(served):
    """Our own answer to ASKED, by a mask that is white where the client's is transparent."""
    with io.BytesIO() as buffer:
        ImageOps.invert(HOLE).save(buffer, "BMP")
        files = {"image": photo(), "mask": buffer.getvalue()}
    return served.post("/v1/img2img/json", files=files, data=OURS)


def test_transparent_parts_of_a_mask_are_what_changes(client, ours):
    edited = client.images.edit(image=("a.png", photo()), mask=("mask.png", holed(HOLE)), **ASKED)
    made, before = np.asarray(opened(edited.data[0].b64_json)), pixels(photo())
    kept = np.asarray(HOLE) == 255
    assert np.array_equal(made[kept], before[kept])
    assert not np.array_equal(made[~kept], before[~kept])
    assert np.array_equal(made, np.asarray(opened(ours.json()["images"][0]["b64_json"])))


def test_record_has_the_hash_of_the_mask_as_it_was_read_as_a_file(client, ours, tmp_path):
    edited = client.images.edit(image=("a.png", photo()), mask=("mask.png", holed(HOLE)), **ASKED)
    (tmp_path / "a.png").write_bytes(base64.b64decode(edited.data[0].b64_json))
    (tmp_path / "mask.bmp").write_bytes(file_of(ImageOps.invert(HOLE)))
    record = read_record(tmp_path / "a.png")
    assert record["mask_sha256"] == sha256_of(tmp_path / "mask.bmp")
    assert record["mask_sha256"] == ours.json()["images"][0]["parameters"]["mask_sha256"]


def test_without_a_mask_the_photos_own_transparent_parts_are_what_changes(client):
    original = Image.open(io.BytesIO(photo())).convert("RGB")
    edited = client.images.edit(image=("a.png", holed(HOLE, original)), **ASKED)
    made, before = np.asarray(opened(edited.data[0].b64_json)), np.asarray(original)
    kept = np.asarray(HOLE) == 255
    assert np.array_equal(made[kept], before[kept])
    assert not np.array_equal(made[~kept], before[~kept])


def test_photo_that_can_hardly_be_seen_through_is_redrawn_as_a_whole(client):
    original = Image.open(io.BytesIO(photo())).convert("RGB")
    edited = client.images.edit(image=("a.png", holed(HOLE.point(lambda level: level or 252), original)), **ASKED)
    assert read_texts(edited)["mask_sha256"] is None


def read_texts(answer):
    return json.loads(opened(answer.data[0].b64_json).text["gentra"])


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("mask", {"mask": ("mask.png", holed(Image.new("L", (96, 64), 255)))}),
        ("mask", {"mask": ("mask.png", holed(HOLE.resize((64, 60))))}),
        ("mask", {"mask": ("mask.png", b"none")}),
        ("image", {"image": [("a.png", photo()), ("b.png", photo())]}),
        ("input_fidelity", {"input_fidelity": "high", "extra_body": {"strength": 0.5}}),
        ("background", {"background": "transparent"}),
    ],
)
def test_what_an_edit_cannot_do_is_refused_by_name(client, field, more):
    with pytest.raises(APIStatusError) as refused:
        client.images.edit(**{"image": ("a.png", photo()), "prompt": "a gentra"} | more)
    assert refused.value.param == field


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({}, "image"),
        ({"image": (None, "a text")}, "image"),
        ({"image": photo(), "mask": (None, "a text")}, "mask"),
        ({"mask": photo()}, "image"),
        ({"other": photo()}, "other"),
    ],
)
def test_form_without_a_photo_is_refused_by_the_field_that_is_to_blame(served, parts, field):
    answer = served.post("/v1/images/edits", files={"prompt": (None, "a gentra")} | parts)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, field)
