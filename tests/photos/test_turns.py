import struct

import pytest
from PIL import Image

from gentra_lora.photos.photo import open_photo
from gentra_lora.photos.turns import turn_of
from tests.photos.zoo import EXIF_KINDS, SPOILT_EXIF, bare_exif, quarters

ORIENTATION = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
STRAY = struct.pack(">HHII", 0x010F, 2, 1000, 0xFFFF00)  # the maker's name, a thousand letters behind the end
SIDEWAYS_AND_STRAY = b"MM\0*\0\0\0\x08\0\x02" + STRAY + ORIENTATION + b"\0\0\0\0"
EMPTY = b"MM\0*\0\0\0\x08\0\0\0\0\0\0"


def written(tmp_path, suffix, tags):
    bare_exif(quarters(), tmp_path / f"a{suffix}", EXIF_KINDS[suffix], tags)
    return tmp_path / f"a{suffix}"


@pytest.mark.filterwarnings("ignore:Tag data larger")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".mpo"])
def test_photo_is_turned_though_another_tag_leads_nowhere(tmp_path, suffix):
    photo = open_photo(written(tmp_path, suffix, SIDEWAYS_AND_STRAY))
    assert (photo.image.size, photo.notes) == ((48, 64), ())


def test_exif_data_without_a_tag_are_no_spoilt_ones(tmp_path):
    for suffix in EXIF_KINDS:
        assert open_photo(written(tmp_path, suffix, EMPTY)).notes == ()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_spoilt_exif_data_turn_nothing_and_give_a_note(tmp_path):
    with Image.open(written(tmp_path, ".png", SPOILT_EXIF)) as opened:
        turn, note = turn_of(opened)
    assert turn is None
    assert note == "its EXIF data cannot be read (no tag is whole), and it is taken as it lies"
