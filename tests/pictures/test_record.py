import json
import re
import zlib
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from gentra_lora.pictures.record import (
    FIELDS,
    ORIGIN,
    SINCE,
    PictureTextError,
    png_of,
    read_record,
    record_of,
    request_of,
)
from tests.tiny_engine import photo_request, request

ORIGINS = {
    "base": "owner/sd-1.5@" + "a" * 40,
    "adapter": "sport_gentra_lora",
    "adapter_sha256": "f" * 64,
    "adapter_model_hash": "0123456789ab" + "0" * 52,
    "commit": "c" * 40,
    "precision": "no",
}
PICTURE = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
TEXTS = {
    "non-Latin": "фото спорт Гентра 雪の中",
    "newlines": "a car\nin snow\n\nat night",
    "quotes": 'a "sport" gentra, \\ back, <lora:x:1>, Steps: 3, it\'s {"a": 1}',
    "emoji": "a car 🚗❄️ 👩‍🚀",
    "Latin-1": "un café à 30 °C",
}
EACH_TEXT = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


@pytest.fixture
def written(tmp_path):
    """A PNG of PICTURE with a record, and that record."""
    record = record_of(request(), ORIGINS)
    (tmp_path / "a.png").write_bytes(png_of(PICTURE, record))
    return tmp_path / "a.png", record


def parsed(parameters):
    """Read the text as A1111 and those after it do: (prompt, negative prompt, {name: value})."""
    *lines, last = parameters.strip().split("\n")
    prompt, negative, seen = [], [], False
    for line in map(str.strip, lines):
        if line.startswith("Negative prompt:"):
            seen, line = True, line.removeprefix("Negative prompt:").strip()
        (negative if seen else prompt).append(line)
    values = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last)
    assert len(values) >= 3
    return "\n".join(prompt), "\n".join(negative), dict(values)


def unescaped(prompt):
    """Read escaped brackets as A1111 does."""
    return re.sub(r"\\([\\()\[\]])", r"\1", prompt)


def chunks(png):
    with Image.open(BytesIO(png)) as image:
        return dict(image.text)


def with_text(path, text, key="gentra"):
    """Write PICTURE with another text of ours."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(key, text)
    Image.fromarray(PICTURE).save(path, pnginfo=info)
    return path


def test_pixels_are_kept_as_they_are(written):
    with Image.open(written[0]) as image:
        assert np.array_equal(np.array(image), PICTURE)


def test_record_comes_back_as_it_was_written(written):
    path, record = written
    assert read_record(path) == record
    assert record.keys() == FIELDS.keys() | ORIGIN.keys()
    assert record["torch"] == torch.__version__


@pytest.mark.parametrize(
    "wanted",
    [
        request(lora_scale=0.35, sampler="euler_a", negative_prompt="rain", guidance_scale=0.1 + 0.2, seed=2**53 - 1),
        photo_request(strength=1 / 3, sampler="dpmpp_2m_karras"),
        photo_request(mask=Image.new("L", (96, 64), 255), mask_sha256="1" * 64),
        photo_request(
            mask=Image.new("L", (96, 64), 255),
            mask_sha256="1" * 64,
            mask_inverted=True,
            mask_blur=4.5,
            mask_content="fill",
            mask_padding=32,
        ),
    ],
    ids=["text", "photo", "mask", "region"],
)
def test_request_of_the_record_is_the_one_that_was_made(tmp_path, wanted):
    (tmp_path / "a.png").write_bytes(png_of(PICTURE, record_of(wanted, ORIGINS)))
    assert request_of(read_record(tmp_path / "a.png"), wanted.photo, wanted.mask) == wanted


@EACH_TEXT
def test_every_text_survives_in_the_record(tmp_path, text):
    wanted = request(prompt=text, negative_prompt=text)
    (tmp_path / "a.png").write_bytes(png_of(PICTURE, record_of(wanted, ORIGINS)))
    assert request_of(read_record(tmp_path / "a.png")) == wanted


@EACH_TEXT
def test_every_text_survives_in_what_other_programs_read(text):
    found = chunks(png_of(PICTURE, record_of(request(prompt=text, negative_prompt=text), ORIGINS)))["parameters"]
    prompt, negative, values = parsed(found)
    assert unescaped(prompt) == f"{text} <lora:sport_gentra_lora:1>"
    assert unescaped(negative) == text
    assert values["Steps"] == "4"


def test_other_programs_read_every_number():
    numbers = {"seed": 7, "lora_scale": 0.5, "guidance_scale": 7.5}
    wanted = photo_request(sampler="dpmpp_2m_karras", negative_prompt="rain", **numbers)
    prompt, negative, values = parsed(chunks(png_of(PICTURE, record_of(wanted, ORIGINS)))["parameters"])
    assert (prompt, negative) == ("a car <lora:sport_gentra_lora:0.5>", "rain")
    assert values == {
        "Steps": "6",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Karras",
        "CFG scale": "7.5",
        "Seed": "7",
        "Size": "64x64",
        "Model": "sd-1.5",
        "Denoising strength": "0.5",
        "Lora hashes": '"sport_gentra_lora: 0123456789ab"',
    }


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a car\nin snow\n\n  Steps: 3", "a car\nin snow Steps: 3"),
        ("a car (in snow) [at night]", r"a car \(in snow\) \[at night\]"),
        (r"C:\\photos", r"C:\\\\photos"),
        ("Negative prompt: is what it says", "Negative prompt: is what it says"),
        ("Steps: 3, Sampler: x, Size: 1x1", "Steps: 3, Sampler: x, Size: 1x1"),
        ("a car\nNegative prompt: no", "a car Negative prompt: no"),
    ],
)
def test_other_programs_take_a_prompt_for_the_words_that_were_drawn(text, read):
    values = record_of(request(prompt=text, negative_prompt=text), ORIGINS | {"adapter": "niva"})
    prompt, negative, numbers = parsed(chunks(png_of(PICTURE, values))["parameters"])
    assert "<lora:niva:1>" in prompt
    assert prompt.replace("<lora:niva:1>", "").strip() == negative == read
    assert numbers["Lora hashes"] == '"niva: 0123456789ab"'
    assert numbers["Steps"] == str(values["num_inference_steps"])


def test_picture_that_does_not_name_its_adapter_was_made_when_there_was_one_name(tmp_path):
    record = record_of(request(), ORIGINS)
    older = {name: value for name, value in record.items() if name not in SINCE}
    with_text(tmp_path / "a.png", json.dumps(older))
    assert read_record(tmp_path / "a.png") == older | SINCE
    assert SINCE["adapter"] == "sport_gentra_lora"


def test_picture_of_a_prompt_has_neither_strength_nor_empty_negative_prompt():
    text = chunks(png_of(PICTURE, record_of(request(), ORIGINS)))["parameters"]
    assert "Denoising strength" not in text
    assert "Negative prompt" not in text


def test_model_of_a_local_file_is_named_without_what_would_end_its_value():
    origin = ORIGINS | {"base": "my, base.safetensors@sha256:12 + vae@sha256:34"}
    values = parsed(chunks(png_of(PICTURE, record_of(request(), origin)))["parameters"])[2]
    assert values["Model"] == "my  base.safetensors"


def test_text_beside_another_programs_stays_readable(written):
    path, record = written
    with Image.open(path) as image:
        info = PngImagePlugin.PngInfo()
        for key, text in {**image.text, "Software": "other"}.items():
            info.add_itxt(key, text)
        image.save(path, pnginfo=info)
    assert read_record(path) == record


def test_png_whose_text_was_stripped_says_so(written):
    path, _ = written
    with Image.open(path) as image:
        image.save(path)
    with pytest.raises(PictureTextError, match=r"a\.png: does not say how it was made; programs that save a PNG anew"):
        read_record(path)


def test_file_that_is_no_png_is_named(tmp_path):
    (tmp_path / "note.png").write_text("hello")
    Image.fromarray(PICTURE).save(tmp_path / "photo.png", "JPEG")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    for name in ("note.png", "photo.png", "empty.png", "folder.png", "missing.png"):
        with pytest.raises(PictureTextError, match=rf"{name}: cannot be read as a PNG"):
            read_record(tmp_path / name)


def test_png_cut_short_anywhere_is_refused(written):
    path, _ = written
    whole = path.read_bytes()
    for length in range(whole.index(b"IEND") - 12):  # the checksums at the end are not needed
        path.write_bytes(whole[:length])
        with pytest.raises(PictureTextError, match=r"a\.png: cannot be read as a PNG"):
            read_record(path)


def test_png_of_one_wrong_byte_is_read_or_refused(written):
    path, _ = written
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_record(path)
        except PictureTextError as error:
            assert "a.png: " in str(error)


def test_png_that_claims_to_be_enormous_is_refused(tmp_path):
    path = with_text(tmp_path / "a.png", "{}")
    whole = bytearray(path.read_bytes())
    whole[16:24] = (60_000).to_bytes(4) * 2
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4)
    path.write_bytes(whole)
    with pytest.raises(PictureTextError, match=r"a\.png: cannot be read as a PNG"):
        read_record(path)


@pytest.mark.parametrize("text", ["", "hello", '{"prompt": "a', "[" * 100_000])
def test_text_that_is_no_json_is_refused(tmp_path, text):
    with pytest.raises(PictureTextError, match=r"a\.png: its text is no JSON"):
        read_record(with_text(tmp_path / "a.png", text))


@pytest.mark.parametrize("text", ["null", "3", "[]", '"prompt"'])
def test_json_that_is_no_record_is_refused(tmp_path, text):
    with pytest.raises(PictureTextError, match=r"a\.png: its text is no record"):
        read_record(with_text(tmp_path / "a.png", text))


@pytest.mark.parametrize("name", sorted((FIELDS.keys() | ORIGIN.keys()) - SINCE.keys()))
def test_missing_value_is_named(tmp_path, written, name):
    record = {key: value for key, value in written[1].items() if key != name}
    with pytest.raises(PictureTextError, match=rf"b\.png: its text lacks {name}; "):
        read_record(with_text(tmp_path / "b.png", json.dumps(record)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", 3),
        ("seed", "1"),
        ("seed", None),
        ("seed", 2**64),
        ("num_inference_steps", 0),
        ("num_inference_steps", 1001),
        ("width", 64.5),
        ("strength", "0.5"),
        ("sampler", "dream"),
        ("precision", "auto"),
        ("commit", "../../etc"),
        ("commit", "--upload-pack=x"),
    ],
)
def test_value_that_cannot_be_ours_is_named(tmp_path, written, name, value):
    text = json.dumps(written[1] | {name: value})
    problem = re.escape(f"{name} {value!r}; it was changed")
    with pytest.raises(PictureTextError, match=rf"b\.png: its text has {problem}"):
        read_record(with_text(tmp_path / "b.png", text))


def test_weights_without_a_commit_are_ours_too(tmp_path, written):
    record = written[1] | {"commit": None}
    assert read_record(with_text(tmp_path / "b.png", json.dumps(record))) == record
