import pytest
import webuiapi
from PIL import Image
from pydantic import ValidationError

from gentra_lora.service.a1111.schemas import A1111ImageToImage, A1111TextToImage


class Recorder(webuiapi.WebUIApi):
    """Returns what it would send."""

    def __init__(self):
        super().__init__(username="nobody")  # without a password: it asks nothing before its first call

    def check_extensions(self):
        pass

    def post_and_get_api_result(self, url, json, use_async):
        return json


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (A1111TextToImage, Recorder().txt2img(prompt="a")),
        (A1111ImageToImage, Recorder().img2img(images=[Image.new("RGB", (8, 8))], prompt="a")),
    ],
)
def test_everything_that_webuiapi_sends_by_itself_is_known_and_at_rest(schema, sent):
    assert schema.model_validate(sent, strict=True).prompt == "a"


@pytest.mark.parametrize("schema", [A1111TextToImage, A1111ImageToImage])
def test_null_is_as_if_a_field_were_left_out(schema):
    must = {"prompt": "a", "init_images": [""]}
    values = {name: must.get(name) for name in schema.model_fields}
    assert schema.model_validate(values, strict=True).steps is None


@pytest.mark.parametrize(
    ("field", "rest", "asked"),
    [
        ("enable_hr", False, True),
        ("restore_faces", False, True),
        ("tiling", False, True),
        ("styles", [], ["film"]),
        ("script_name", "", "x/y/z plot"),
        ("alwayson_scripts", {}, {"ControlNet": {"args": [{}]}}),
        ("subseed_strength", 0.0, 0.5),
        ("seed_resize_from_w", -1, 512),
        ("s_churn", 0, 2.0),
        ("clip_skip", 1, 2),
        ("refiner_checkpoint", "None", "refiner"),
        ("disable_extra_networks", False, True),
        ("infotext", "", "Steps: 20"),
        ("firstpass_image", None, "iVBO"),
        ("send_images", True, False),
    ],
)
def test_field_is_taken_at_rest_and_refused_where_it_would_change_the_picture(field, rest, asked):
    assert A1111TextToImage(prompt="a", **{field: rest})
    with pytest.raises(ValidationError, match="asks for what this service does not have"):
        A1111TextToImage(prompt="a", **{field: asked})


@pytest.mark.parametrize(
    ("field", "rest", "asked"),
    [("latent_mask", "", "iVBO"), ("resize_mode", 1, 2), ("initial_noise_multiplier", 1, 0.9)],
)
def test_field_of_photos_likewise(field, rest, asked):
    assert A1111ImageToImage(prompt="a", init_images=[""], **{field: rest})
    with pytest.raises(ValidationError, match="asks for what this service does not have"):
        A1111ImageToImage(prompt="a", init_images=[""], **{field: asked})
