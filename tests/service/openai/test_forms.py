import pytest
from openai import UnprocessableEntityError

from tests.service.http.test_routes_pictures import photo


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("mask", {"mask": ("mask.png", photo())}),
        ("image", {"image": [("a.png", photo()), ("b.png", photo())]}),
        ("input_fidelity", {"input_fidelity": "high", "extra_body": {"strength": 0.5}}),
        ("background", {"background": "transparent"}),
    ],
)
def test_what_an_edit_cannot_do_is_refused_by_name(client, field, more):
    with pytest.raises(UnprocessableEntityError) as refused:
        client.images.edit(**{"image": ("a.png", photo()), "prompt": "a gentra"} | more)
    assert refused.value.param == field


@pytest.mark.parametrize(
    ("parts", "field"),
    [({}, "image"), ({"image": (None, "a text")}, "image"), ({"other": photo()}, "other")],
)
def test_form_without_a_photo_is_refused_by_the_field_that_is_to_blame(served, parts, field):
    answer = served.post("/v1/images/edits", files={"prompt": (None, "a gentra")} | parts)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, field)
