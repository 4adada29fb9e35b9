import pytest

from gentra_lora.photos.damage.check import BY_FORMAT, damage_of
from gentra_lora.photos.photo import SUFFIXES, PhotoError, open_photo
from tests.photos.zoo import GOOD, bytes_of, textured


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("name", GOOD)
def test_no_intact_photo_of_the_zoo_is_damaged(tmp_path, name):
    GOOD[name][0](tmp_path / name)
    assert open_photo(tmp_path / name)


def test_every_format_that_is_checked_is_one_that_is_read():
    assert set(BY_FORMAT) <= set(SUFFIXES)


def test_proof_and_doubt_are_told_apart():
    data = bytes_of(textured(), "JPEG")
    assert damage_of(data, "JPEG") == (None, ())
    assert damage_of(data[:-2], "JPEG") == (None, ("has no end marker: its last bytes are lost",))
    assert damage_of(data[: len(data) // 2] + b"\xff\xd9", "JPEG")[0]


def test_damaged_photo_is_refused_by_name_though_its_decoder_raises_nothing(tmp_path):
    data = bytes_of(textured((640, 480)), "JPEG", quality=90)
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    with pytest.raises(PhotoError, match=r"a\.jpg: is damaged: its data breaks off .*; replace or remove it"):
        open_photo(tmp_path / "a.jpg")


def test_doubtful_photo_opens_with_its_doubts(tmp_path):
    image = textured((320, 240))
    image.paste((0, 0, 0), (0, 120, 320, 240))
    image.save(tmp_path / "a.bmp")
    assert open_photo(tmp_path / "a.bmp").doubts == ("is nothing but black in the rows 120 to 239 of 240",)
