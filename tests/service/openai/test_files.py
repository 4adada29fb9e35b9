import io
import json

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from gentra_lora.pictures.record import parameters_text, png_of, record_of
from gentra_lora.service.openai.files import FileKind, file_of
from tests.pictures.test_record import ORIGINS, TEXTS
from tests.tiny_engine import request

RECORD = record_of(request(prompt=TEXTS["emoji"]), ORIGINS)
PICTURE = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats_say_what_made_them_where_other_programs_look(kind):
    with Image.open(io.BytesIO(file_of(png_of(PICTURE, RECORD), RECORD, FileKind(kind)))) as found:
        exif = found.getexif()
        assert (found.format, found.size) == (kind.upper(), (96, 64))
    assert exif.get_ifd(IFD.Exif)[Base.UserComment][8:].decode("utf-16-be") == parameters_text(RECORD)
    told = exif[Base.ImageDescription]
    assert json.loads(told if isinstance(told, bytes) else told.encode("latin-1")) == RECORD


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_lower_quality_is_a_smaller_file(kind):
    png = png_of(PICTURE, RECORD)
    sizes = [len(file_of(png, RECORD, FileKind(kind, quality))) for quality in (0, 50, 100)]
    assert sizes == sorted(sizes) and len({*sizes}) == 3


def test_png_is_left_as_it_is():
    assert file_of(b"any", {}, FileKind()) == b"any"
