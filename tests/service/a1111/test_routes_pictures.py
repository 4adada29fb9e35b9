import base64
import io

import numpy as np
import pytest
from PIL import Image

from gentra_lora.service.bodies.objects import JSON_BYTES
from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo

OWN = {"seed": 3, "num_inference_steps": 3, "guidance_scale": 3}
THEIRS = {"prompt": "a gentra", "seed": 3, "cfg_scale": 3.0, "width": 64, "height": 64}


def png(image):
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG")
        return buffer.getvalue()


SMALL = base64.b64encode(png(Image.new("L", (8, 8), 255))).decode()


def ramp(width, height):
    """Return a photo whose crop differs from the whole, squeezed."""
    levels = np.linspace(0, 255, width).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(levels[None, :, None], (height, width, 3)).copy())


def same(image, content):
    return np.array_equal(np.asarray(image), pixels(content))


def test_webuiapi_draws_the_picture_of_our_own_route(webui, served):
    result = webui.txt2img(**THEIRS)
    assert same(result.image, served.draw(**OWN).content)
    assert result.info["seed"] == 3
    assert result.info["infotexts"][0].startswith("a gentra <lora:sport_gentra_lora:1>")
    assert result.parameters["steps"] == 3


def test_webuiapi_gets_as_many_pictures_as_it_asks_for_with_their_seeds(webui):
    result = webui.txt2img(**THEIRS, n_iter=2, batch_size=2)
    assert len(result.images) == 4
    assert result.info["all_seeds"] == [3, 4, 5, 6]


def test_tag_in_a_prompt_sets_the_strength_and_other_notation_is_refused(webui, served):
    tagged = webui.txt2img(**THEIRS | {"prompt": "a gentra <lora:sport_gentra_lora:0.3>"})
    assert same(tagged.image, served.draw(**OWN, lora_scale=0.3).content)
    for prompt in ("a gentra <lora:other:1>", "a (gentra:1.3)"):
        with pytest.raises(RuntimeError, match="prompt holds"):
            webui.txt2img(**THEIRS | {"prompt": prompt})


def test_webuiapi_redraws_the_photo_as_our_own_route_does(webui, served):
    image = ramp(64, 64)
    result = webui.img2img(images=[image], denoising_strength=0.7, **THEIRS)
    assert same(result.image, served.redraw(png(image), strength=0.7, **OWN).content)
    assert (result.info["denoising_strength"], result.info["warnings"]) == (0.7, [])
    assert result.parameters["init_images"] == []


def test_photo_may_be_as_large_as_an_upload_and_is_read_as_that(webui):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    image = Image.fromarray(noise)
    assert len(png(image)) > 1.5 * JSON_BYTES
    assert webui.img2img(images=[image], **THEIRS).image.size == (64, 64)
    assert webui.png_info(image).info == ""


def test_photo_of_another_shape_is_stretched_or_cropped_as_it_is_asked(webui, served):
    image = ramp(192, 64)
    values = THEIRS | {"images": [image], "denoising_strength": 0.7}
    squeezed = png(image.resize((64, 64), Image.Resampling.LANCZOS))
    stretched, cropped = webui.img2img(**values), webui.img2img(**values, resize_mode=1)
    assert same(stretched.image, served.redraw(squeezed, strength=0.7, **OWN).content)
    assert same(cropped.image, served.redraw(png(image), strength=0.7, width=64, height=64, **OWN).content)
    assert "was stretched" in stretched.info["warnings"][0]
    assert cropped.info["warnings"] == []


def test_what_is_left_out_is_as_in_our_own_route(served):
    answer = served.post("/sdapi/v1/txt2img", json={"prompt": "a gentra", "seed": 3})
    assert base64.b64decode(answer.json()["images"][0]) == served.draw(seed=3).content


@pytest.mark.parametrize(
    ("path", "values", "param", "words"),
    [
        ("txt2img", {"enable_hr": True}, "enable_hr", "asks for what this service does not have"),
        ("txt2img", {"alwayson_scripts": {"x": {}}}, "alwayson_scripts", "asks for what this service does not have"),
        ("txt2img", {"strength": 0.5}, "strength", "is not known here"),
        ("txt2img", {"steps": 0}, "steps", "must be at least 1"),
        ("txt2img", {"cfg_scale": 31}, "cfg_scale", "must be at most 30"),
        ("txt2img", {"n_iter": 5}, "n_iter", "times batch_size is 5; this service makes at most 4"),
        ("txt2img", {"width": 2048, "height": 64}, "width", "is 2048; this service makes at most"),
        ("txt2img", {"prompt": ""}, "prompt", "is empty"),
        ("img2img", {"mask": "AAAA"}, "mask", "is no picture"),
        ("img2img", {"mask": SMALL}, "mask", "is 8 x 8 px, and the photo upright 96 x 64"),
        ("img2img", {"mask": SMALL, "mask_blur": 65}, "mask_blur", "must be at most 64"),
        ("img2img", {"latent_mask": "AAAA"}, "latent_mask", "asks for what this service does not have"),
        ("img2img", {"init_images": []}, "init_images", "is empty"),
        ("img2img", {"init_images": ["AAAA"]}, "init_images", "is no picture"),
        ("img2img", {"denoising_strength": 0}, "denoising_strength", "must be above 0"),
        ("img2img", {"denoising_strength": 0.1, "steps": 3}, "denoising_strength", "less than one step"),
    ],
)
def test_refusal_names_the_field_in_the_shape_that_a1111s_clients_read(served, path, values, param, words):
    given = {"prompt": "a gentra", **values}
    if path == "img2img":
        given = {"init_images": [base64.b64encode(photo()).decode()], **given}
    answer = served.post(f"/sdapi/v1/{path}", json=given)
    assert answer.status_code in (415, 422), answer.text
    assert answer.json()["param"] == param
    assert answer.json()["detail"].startswith(param)
    assert words in answer.json()["detail"]
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
