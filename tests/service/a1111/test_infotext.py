import base64
import io

import pytest
from PIL import Image, PngImagePlugin

from gentra_lora.pictures.record import PARAMETERS
from gentra_lora.service.a1111.infotext import text_of, values_of
from gentra_lora.service.errors import ServiceError

TEXT = """a gentra, snow <lora:sport_gentra_lora:0.8>
on grass
Negative prompt: blurry: yes
Steps: 20, Sampler: DPM++ 2M, Schedule type: SGM Uniform, CFG scale: 7, Seed: 3, Size: 64x96, \
Lora hashes: "a: 12, b: 34", Version: v1"""


def png(compressed=False, **texts):
    info = PngImagePlugin.PngInfo()
    for name, value in texts.items():
        info.add_text(name, value, zip=compressed)
    with io.BytesIO() as buffer:
        Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
        return base64.b64encode(buffer.getvalue()).decode()


def test_values_are_those_of_the_last_line_and_prompts_what_stands_above():
    found = values_of(TEXT)
    assert found["Prompt"] == "a gentra, snow <lora:sport_gentra_lora:0.8>\non grass"
    assert found["Negative prompt"] == "blurry: yes"
    assert (found["Steps"], found["Schedule type"], found["Version"]) == ("20", "SGM Uniform", "v1")
    assert (found["Size-1"], found["Size-2"]) == ("64", "96")
    assert found["Lora hashes"] == "a: 12, b: 34"


@pytest.mark.parametrize("text", ["a gentra", "a gentra\nSteps: 3, that is all"])
def test_text_without_values_is_a_prompt(text):
    assert values_of(text) == {"Prompt": text, "Negative prompt": ""}
    assert values_of(" ") == {}


@pytest.mark.parametrize("text", ["a" * 500_000, " " * 500_000, 'a:"' * 200_000, "a b-c/" * 100_000])
def test_long_text_of_another_kind_is_read_in_no_long_time(text):
    assert values_of(f"x\n{text}")["Prompt"].startswith("x")


def test_picture_tells_its_texts_and_one_without_is_no_fault():
    found = text_of(png(**{PARAMETERS: TEXT, "note": "mine"}))
    assert (found["info"], found["items"]) == (TEXT, {"note": "mine"})
    assert text_of(png()) == {"info": "", "items": {}, "parameters": {}}


def test_text_that_unpacks_to_more_than_is_read_is_refused_as_that():
    with pytest.raises(ServiceError, match="a text that is too large") as refused:
        text_of(png(compressed=True, note="a" * 5_000_000))
    assert refused.value.status == 422


@pytest.mark.parametrize(("image", "status"), [("", 415), ("AAAA", 415), ("photo.jpg", 422)])
def test_what_is_no_picture_is_refused(image, status):
    with pytest.raises(ServiceError) as refused:
        text_of(image)
    assert (refused.value.status, refused.value.param) == (status, "image")
