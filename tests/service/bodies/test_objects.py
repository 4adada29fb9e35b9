import base64
import json

import pytest

from gentra_lora.service.bodies.objects import JSON_BYTES
from tests.service.bodies.test_photos import IMAGE
from tests.service.bodies.test_sentences import error_of


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"a"', b"\xff\xfe", b"[" * 10_000])
def test_body_that_is_no_json_object_is_refused_not_a_fault(served, content):
    answer = served.post("/v1/txt2img", data=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert error_of(answer)["code"] == "invalid_request"


def test_nan_is_refused(served):
    answer = served.post(
        "/v1/txt2img", data='{"prompt": "a", "lora_scale": NaN}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert error_of(answer)["param"] == "lora_scale"


def test_json_with_a_photo_may_be_large_only_because_of_the_photo(served):
    lists = json.dumps({"prompt": "a", "image": IMAGE, "more": list(range(100_000))})
    answer = served.post("/v1/img2img", data=lists, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")
    large = base64.b64encode(bytes(JSON_BYTES)).decode().replace("A", "\\/")  # as PHP writes a slash
    escaped = f'{{"prompt": "a", "image": "data:image/png;base64,{large}"}}'
    answer = served.post("/v1/img2img", data=escaped, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["param"]) == (415, "image")


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
