import base64
import json

import pytest

from gentra_lora.service.http.bodies import JSON_BYTES
from tests.service.http.test_routes_pictures import photo


def error_of(answer):
    assert set(answer.json()) == {"error", "request_id"}
    return answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"a"', b"\xff\xfe", b"[" * 10_000])
def test_body_that_is_no_json_object_is_refused_not_a_fault(served, content):
    answer = served.post("/v1/txt2img", data=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert error_of(answer)["code"] == "invalid_request"


def test_error_names_each_field_and_repeats_no_value(served):
    answer = served.draw(width=65, colour="red", seed=-987)
    error = error_of(answer)
    assert {found["field"] for found in error["details"]} == {"width", "colour", "seed"}
    assert error["param"] in ("width", "colour", "seed")
    assert "987" not in answer.text


def test_nan_is_refused(served):
    answer = served.post(
        "/v1/txt2img", data='{"prompt": "a", "lora_scale": NaN}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert error_of(answer)["param"] == "lora_scale"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "", "application/xml"])
def test_other_kind_of_body_than_json_is_415(served, kind):
    answer = served.post("/v1/txt2img", data=json.dumps({"prompt": "a"}), headers={"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_photo_comes_in_a_form_or_in_json_and_nothing_else(served, kind):
    answer = served.post("/v1/img2img", data=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "or application/json" in error_of(answer)["message"]


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


def test_json_with_a_photo_may_be_large_only_because_of_the_photo(served):
    lists = json.dumps({"prompt": "a", "image": IMAGE, "more": list(range(100_000))})
    answer = served.post("/v1/img2img", data=lists, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")
    large = base64.b64encode(bytes(JSON_BYTES)).decode().replace("A", "\\/")  # as PHP writes a slash
    escaped = f'{{"prompt": "a", "image": "data:image/png;base64,{large}"}}'
    answer = served.post("/v1/img2img", data=escaped, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["param"]) == (415, "image")


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


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x=y"])
def test_form_without_a_boundary_is_refused(served, kind):
    answer = served.post("/v1/img2img", data=b"--x\r\n", headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)
    error_of(answer)


def test_damaged_form_is_refused(served):
    kind = "multipart/form-data; boundary=x"
    for body in (b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--", b"\0" * 100):
        answer = served.post("/v1/img2img", data=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 422), body
        error_of(answer)


def form(*parts, end="--x--\r\n"):
    """Return the bytes of a form of (name, bytes) and a photo."""
    photo_part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + photo() + b"\r\n"
    fields = [
        b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value + b"\r\n"
        for name, value in parts
    ]
    return photo_part + b"".join(fields) + end.encode()


def sent(served, body, kind="multipart/form-data; boundary=x"):
    return served.post("/v1/img2img", data=body, headers={"Content-Type": kind})


def test_form_in_another_encoding_is_refused_by_its_field(served):
    answer = sent(served, form(("prompt", "фото гентры".encode("cp1251"))))
    assert answer.status_code == 400
    assert "prompt is not UTF-8 at byte 0 (0xF4)" in error_of(answer)["message"]
    other = sent(served, form(("prompt", b"a")), "multipart/form-data; boundary=x; charset=cp1251")
    assert "its charset is cp1251; send UTF-8" in error_of(other)["message"]
    assert sent(served, form(("prompt", "фото гентры".encode()))).status_code == 200


def test_form_whose_end_is_missing_is_refused(served):
    whole = form(("prompt", b"a gentra"), ("strength", b"0.9"))
    assert sent(served, whole).status_code == 200
    for body in (form(("prompt", b"a gentra"), ("strength", b"0.9"), end=""), whole[:-6]):
        answer = sent(served, body)
        assert answer.status_code == 400
        assert "ends before its last boundary" in error_of(answer)["message"]


def posted(served, text, encoding="utf-8"):
    return served.post("/v1/txt2img", data=text.encode(encoding), headers={"Content-Type": "application/json"})


def test_name_that_is_there_twice_is_refused(served):
    answer = posted(served, '{"prompt": "a", "seed": 1, "seed": 2}')
    assert (answer.status_code, error_of(answer)["param"]) == (422, "seed")
    assert error_of(answer)["message"] == "seed is there twice; send it once"


def test_byte_order_mark_is_accepted(served):
    assert posted(served, '{"prompt": "a gentra"}', "utf-8-sig").status_code == 200


def test_json_in_another_encoding_is_refused(served):
    assert posted(served, '{"prompt": "фото"}', "cp1251").status_code == 422


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("txt2img", {"prompt": " "}, "prompt: is empty; say what to draw"),
        ("txt2img", {"prompt": "\u200b\u200d \ufeff"}, "prompt: is empty; say what to draw"),
        ("txt2img", {}, "prompt: is missing"),
        ("txt2img", {"prompt": "a", "width": 65}, "width: must be a multiple of 8"),
        ("txt2img", {"prompt": "a", "seed": 1.5}, "seed: must be a whole number"),
        ("txt2img", {"prompt": "a", "guidance_scale": 99}, "guidance_scale: must be at most 30"),
        ("txt2img", {"prompt": "a", "colour": 1}, "colour: is not known here; remove it"),
        ("txt2img", {"prompt": "what / of: /this"}, None),
        ("images/generations", {"prompt": "a", "size": "3"}, "size: must be WIDTHxHEIGHT, such as 512x512, or auto"),
        ("images/generations", {"prompt": "a", "size": "2048x2048"}, "size does not fit: width"),
        ("images/generations", {"prompt": "a", "n": 16}, "n is 16; this service makes at most"),
    ],
)
def test_refusal_is_in_words_and_names_the_field_that_was_sent(served, path, values, message):
    answer = served.post(f"/v1/{path}", json=values)
    if message is None:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 422
        assert error_of(answer)["message"].startswith(message)


def test_what_a_message_repeats_of_a_prompt_keeps_its_slashes(served):
    answer = served.draw(prompt="a gentra " + "and " * 100 + "/one /two/three")
    assert "/one /two/three" in served.draw(prompt="<lora:/one /two/three:1> a gentra").json()["error"]["message"]
    assert answer.status_code == 422
