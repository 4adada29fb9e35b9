import base64

import pytest

from tests.service.bodies.test_sentences import error_of
from tests.service.http.test_routes_pictures import photo

IMAGE = base64.b64encode(photo()).decode()


@pytest.mark.parametrize("image", [IMAGE, f"data:image/png;base64,{IMAGE}", f"{IMAGE[:76]}\n{IMAGE[76:]}\n"])
def test_photo_in_base64_is_redrawn_as_the_same_photo_in_a_form(served, image):
    values = {"prompt": "a gentra", "seed": 3, "strength": 0.9}
    answer = served.post("/v1/img2img", json=values | {"image": image})
    assert answer.status_code == 200, answer.text
    assert answer.content == served.redraw(photo(), seed=3, strength=0.9).content


@pytest.mark.parametrize(
    ("image", "status", "message"),
    [
        (None, 422, "image: must be a text"),
        ("", 415, "image is no picture"),
        ("photo.jpg", 422, "image is no base64"),
        (IMAGE[:-1], 422, "image is no base64"),
        ("https://example.com/photo.jpg", 422, "image is an address, which is not fetched"),
        (base64.b64encode(b"<svg/>").decode(), 415, "image is no picture"),
    ],
)
def test_photo_that_is_not_in_base64_is_refused_in_words(served, image, status, message):
    answer = served.post("/v1/img2img", json={"prompt": "a gentra", "image": image})
    assert answer.status_code == status
    assert error_of(answer)["message"].startswith(message)
    assert error_of(answer)["param"] == "image"


@pytest.mark.parametrize(
    ("files", "data", "field"),
    [
        ({}, {"prompt": "a", "image": "data:image/png;base64,AAAA"}, "image"),
        ({"photo": b"x"}, {"prompt": "a"}, "photo"),
        ({"image": photo()}, {}, "prompt"),
        ({"image": photo()}, {"prompt": "a", "steps": "5"}, "steps"),
        ({"image": photo()}, {"prompt": "a", "strength": "0"}, "strength"),
        ({"image": photo()}, {"prompt": "a", "strength": "nan"}, "strength"),
        ({"image": photo()}, {"prompt": ["a", "b"]}, "prompt"),
        ({"image": photo()}, {"prompt": "a", "num_inference_steps": "2", "strength": "0.1"}, "strength"),
    ],
)
def test_form_that_lacks_or_misnames_something_is_422_with_the_field(served, files, data, field):
    files = files or {"": (None, "")}
    answer = served.post("/v1/img2img", files=files, data=data)
    assert answer.status_code == 422, answer.text
    assert error_of(answer)["param"] == field


@pytest.mark.parametrize(
    ("files", "data", "message"),
    [
        ({"mask": photo()}, {}, "image is missing, and a mask alone draws nothing; send the photo as a file"),
        ({"image": photo()}, {"mask": "data:image/png;base64,AAAA"}, "mask is a text; send the mask as a file"),
        ({"image": photo(), "photo": photo()}, {}, "photo is a file; only image and mask are"),
        ([("image", photo()), ("image", photo())], {}, "image holds two files; send one photo"),
        ([("image", photo())] * 3 + [("mask", photo())], {}, "image holds two files; send one photo"),
        ([("image", photo()), ("mask", photo()), ("mask", photo())], {}, "mask holds two files; send one mask"),
    ],
)
def test_form_whose_files_are_not_as_they_must_be_is_told_so(served, files, data, message):
    answer = served.post("/v1/img2img", files=files, data={"prompt": "a"} | data)
    assert answer.status_code == 422
    assert error_of(answer)["message"].startswith(message)
