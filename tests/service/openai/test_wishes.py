import inspect

import pytest
from openai.resources.images import Images
from pydantic import ValidationError

from gentra_lora.service.openai.wishes import OpenAIEdit, OpenAIImage

TRANSPORT = {"extra_headers", "extra_query", "extra_body", "timeout", "self"}
FILES = {"image", "mask", "markup"}
OF_OTHER_MODELS = {"complexity", "frame_count", "frame_duration_ms", "svg"}


def test_every_field_that_the_sdk_documents_is_known_or_refused_by_its_name():
    for call, schema in ((Images.generate, OpenAIImage), (Images.edit, OpenAIEdit)):
        documented = {*inspect.signature(inspect.unwrap(call)).parameters} - TRANSPORT
        assert documented - {*schema.model_fields} <= FILES | OF_OTHER_MODELS


@pytest.mark.parametrize(
    "values", [{"background": "transparent"}, {"style": "vivid"}, {"output_format": "gif"}, {"quality": "xhigh"}]
)
def test_what_would_change_a_picture_is_not_taken_for_something_else(values):
    with pytest.raises(ValidationError):
        OpenAIImage(prompt="a", **values)


def test_fields_that_are_null_are_left_out():
    values = dict.fromkeys(("size", "quality", "style", "user", "stream", "partial_images", "seed"))
    assert OpenAIImage(prompt="a", **values) == OpenAIImage(prompt="a")
