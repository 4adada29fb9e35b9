import base64
import hashlib
import json

import numpy as np
import pytest
import webuiapi
from PIL import Image, ImageFilter, ImageOps

from gentra_lora.service.a1111.photos import photo_of
from gentra_lora.service.a1111.schemas import A1111ImageToImage
from tests.service.a1111.test_routes_pictures import OWN, THEIRS, png, ramp, same

MASK = Image.new("L", (64, 64))
MASK.paste(255, (16, 16, 48, 48))
CAN = {"inpainting_fill": 1, "inpaint_full_res": False}


def ours(served, mask, **values):
    """Return what our own route makes of a mask."""
    files = {"image": png(ramp(64, 64)), "mask": png(mask)}
    answer = served.post("/v1/img2img/png", files=files, data={"prompt": "a gentra", "strength": 0.7, **OWN, **values})
    assert answer.status_code == 200, answer.text
    return answer.content


def theirs(webui, mask, image=None, **values):
    values = CAN | {"mask_blur": 0} | values
    images = [image or ramp(64, 64)]
    return webui.img2img(images=images, mask_image=mask, denoising_strength=0.7, **THEIRS | values)


def test_webuiapis_mask_is_that_of_our_own_route(webui, served):
    result = theirs(webui, MASK)
    assert same(result.image, ours(served, MASK))
    assert not same(result.image, ours(served, ImageOps.invert(MASK)))
    assert result.parameters["mask"] is None  # as little as the photo is it sent back


def test_inverted_mask_lets_the_rest_change(webui, served):
    assert same(theirs(webui, MASK, inpainting_mask_invert=1).image, ours(served, ImageOps.invert(MASK)))


def test_blur_softens_the_edge_and_the_record_names_the_file_and_the_blur(webui, served):
    soft = MASK.filter(ImageFilter.GaussianBlur(4))
    result = theirs(webui, MASK, mask_blur=4)
    assert same(result.image, ours(served, soft))
    record = json.loads(result.image.text["gentra"])
    sent = base64.b64decode(webuiapi.b64_img(MASK).partition(",")[2])
    assert (record["mask_sha256"], record["mask_blur"]) == (hashlib.sha256(sent).hexdigest(), 4)


def test_mask_is_stretched_with_its_photo(webui, served):
    wide = MASK.resize((192, 64), Image.Resampling.NEAREST)
    result = theirs(webui, wide, ramp(192, 64))
    made, kept = np.asarray(result.image), np.asarray(MASK) == 0
    squeezed = np.asarray(ramp(192, 64).resize((64, 64), Image.Resampling.LANCZOS))
    assert np.array_equal(made[kept], squeezed[kept])
    assert not np.array_equal(made[~kept], squeezed[~kept])


def test_what_webuiapi_sends_by_itself_with_a_mask_redraws_the_masked_part_and_puts_it_back(webui):
    photo, mask = noise(160, 96), Image.new("L", (160, 96))
    mask.paste(255, (100, 40, 120, 60))
    result = webui.img2img(images=[photo], mask_image=mask, **THEIRS)
    made, kept = np.asarray(result.image), np.asarray(mask.filter(ImageFilter.GaussianBlur(4))) < 8
    assert np.array_equal(made[kept], np.asarray(photo)[kept])
    assert np.abs(made[45:55, 105:115].astype(int) - np.asarray(photo)[45:55, 105:115]).mean() > 10
    record = json.loads(result.image.text["gentra"])
    assert {name: record[name] for name in ("mask_content", "mask_padding", "mask_blur", "mask_inverted")} == {
        "mask_content": "fill",
        "mask_padding": 0,
        "mask_blur": 4,
        "mask_inverted": False,
    }
    told = "Mask blur: 4, Masked content: fill, Inpaint area: Only masked, Masked area padding: 0"
    assert told in result.info["infotexts"][0]
    assert result.info["warnings"] == []  # nothing was stretched


@pytest.mark.parametrize(("number", "content"), [(0, "fill"), (1, "original"), (2, "noise"), (3, "nothing")])
def test_each_fill_with_padding_is_that_of_our_own_route(webui, served, number, content):
    result = theirs(webui, MASK, inpainting_fill=number, inpaint_full_res=True, inpaint_full_res_padding=5)
    assert same(result.image, ours(served, MASK, mask_content=content, mask_padding=5, width=64, height=64))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inpainting_fill": 4}, "inpainting_fill: must be at most 3"),
        ({"inpaint_full_res_padding": -1}, "inpaint_full_res_padding: must be at least 0"),
        ({"mask_blur": None, "mask_blur_x": 3}, "mask_blur_y is 0 and mask_blur_x 3; send both alike"),
        ({"mask_round": False}, "mask_round is false; a latent is drawn or kept here"),
        ({"init_images": [1024]}, "inpaint_full_res puts what is drawn back into the photo of 1024 x 4104"),
    ],
)
def test_what_cannot_be_done_with_a_mask_is_refused_by_name(served, values, message):
    size = (1024, 4104) if "init_images" in values else (64, 64)
    photo, mask = text(Image.new("RGB", size)), text(Image.new("L", size, 255))
    given = {"prompt": "a", "mask": mask, "inpaint_full_res": True} | values | {"init_images": [photo]}
    answer = served.post("/sdapi/v1/img2img", json=given)
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


def noise(width, height):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_without_a_mask_its_fields_are_left(webui):
    assert webui.img2img(images=[ramp(64, 64)], **THEIRS).image.size == (64, 64)


def text(image):
    return base64.b64encode(png(image)).decode()


def test_mask_that_is_as_it_came_has_the_hash_of_its_file():
    values = {"prompt": "a", "init_images": [text(ramp(64, 64))], "mask": text(MASK), "mask_blur": 0}
    photo, _ = photo_of(A1111ImageToImage(**values), 10**6)
    assert photo.mask_sha256 == hashlib.sha256(png(MASK)).hexdigest()
