import json

import pytest

from tests.service.bodies.test_sentences import error_of


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "", "application/xml"])
def test_other_kind_of_body_than_json_is_415(served, kind):
    answer = served.post("/v1/txt2img", data=json.dumps({"prompt": "a"}), headers={"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_photo_comes_in_a_form_or_in_json_and_nothing_else(served, kind):
    answer = served.post("/v1/img2img", data=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "or application/json" in error_of(answer)["message"]
