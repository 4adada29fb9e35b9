import base64

import numpy as np
import pytest
from PIL import Image

from gentra_lora.service.openai.files import FileKind, encoded
from tests.service.http.test_answers import pixels
from tests.service.openai.clients import opened


@pytest.mark.parametrize("wished", ["jpeg", "webp"])
def test_other_formats_show_the_same_picture_in_both_forms(client, served, wished):
    answer = client.images.generate(prompt="a gentra", output_format=wished, extra_body={"seed": 3})
    plain = pixels(served.draw(seed=3).content)
    picture = opened(answer.data[0].b64_json)
    assert picture.format == wished.upper() == answer.output_format.upper()
    assert pixels(encoded(Image.fromarray(plain), FileKind(wished))).tolist() == np.asarray(picture).tolist()
    fetched = served.get(answer.data[0].url.removeprefix(served.url))
    assert fetched.headers["content-type"] == f"image/{wished}"
    assert fetched.content == base64.b64decode(answer.data[0].b64_json)


def test_both_forms_of_several_pictures_are_told_and_the_address_holds_the_same(client, served):
    data = client.images.generate(prompt="a gentra", n=2).data
    assert len(data) == 2
    assert served.get(data[1].url.removeprefix(served.url)).content == base64.b64decode(data[1].b64_json)


@pytest.mark.parametrize("wished", ["b64_json", "url"])
def test_response_format_is_heeded(client, wished):
    (picture,) = client.images.generate(prompt="a gentra", response_format=wished).data
    assert [name for name in ("b64_json", "url") if getattr(picture, name)] == [wished]
