import json

import pytest

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


def test_json_is_415_where_a_form_is_wanted(served):
    assert served.post("/v1/img2img", json={"prompt": "a"}).status_code == 415


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


def test_two_files_are_refused(served):
    files = [("image", photo()), ("image", photo())]
    assert served.post("/v1/img2img", files=files, data={"prompt": "a"}).status_code == 400


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
