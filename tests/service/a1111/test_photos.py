import base64
import hashlib
import json

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from gentra_lora.pictures.masks import file_of
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


def test_blur_softens_the_edge_and_its_hash_is_of_the_result(webui, served):
    soft = MASK.filter(ImageFilter.GaussianBlur(4))
    result = theirs(webui, MASK, mask_blur=4)
    assert same(result.image, ours(served, soft))
    record = json.loads(result.image.text["gentra"])
    assert record["mask_sha256"] == hashlib.sha256(file_of(soft)).hexdigest()


def test_mask_is_stretched_with_its_photo(webui, served):
    wide = MASK.resize((192, 64), Image.Resampling.NEAREST)
    result = theirs(webui, wide, ramp(192, 64))
    made, kept = np.asarray(result.image), np.asarray(MASK) == 0
    squeezed = np.asarray(ramp(192, 64).resize((64, 64), Image.Resampling.LANCZOS))
    assert np.array_equal(made[kept], squeezed[kept])
    assert not np.array_equal(made[~kept], squeezed[~kept])


def test_what_webuiapi_sends_by_itself_with_a_mask_is_refused_by_the_values_that_work(webui):
    with pytest.raises(RuntimeError, match=r"inpainting_fill is 0; .* inpainting_fill 1 .* inpaint_full_res false"):
        webui.img2img(images=[ramp(64, 64)], mask_image=MASK, **THEIRS)
    with pytest.raises(RuntimeError, match="inpaint_full_res is true; with a mask this service takes"):
        webui.img2img(images=[ramp(64, 64)], mask_image=MASK, inpainting_fill=1, **THEIRS)


def test_without_a_mask_its_fields_are_left(webui):
    assert webui.img2img(images=[ramp(64, 64)], **THEIRS).image.size == (64, 64)


def test_blur_may_be_of_one_side():
    values = {"prompt": "a", "init_images": [text(ramp(64, 64))], "mask": text(MASK)}
    photo, _ = photo_of(A1111ImageToImage(**values, mask_blur_x=3), 10**6)
    levels = np.asarray(photo.mask)
    assert 0 < levels[32, 15] < 255 and levels[15, 32] == 0


def text(image):
    return base64.b64encode(png(image)).decode()


def test_mask_that_is_as_it_came_has_the_hash_of_its_file():
    values = {"prompt": "a", "init_images": [text(ramp(64, 64))], "mask": text(MASK), "mask_blur": 0}
    photo, _ = photo_of(A1111ImageToImage(**values), 10**6)
    assert photo.mask_sha256 == hashlib.sha256(png(MASK)).hexdigest()
