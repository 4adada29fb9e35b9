import pytest
from PIL import Image

from gentra_lora.photos.damage.tiff import signs
from tests.photos.zoo import big_endian, bytes_of, textured


def holed(data):
    at = len(data) // 2
    return data[:at] + bytes(1000) + data[at + 1000 :]


def test_long_run_in_compressed_data_is_named():
    data = bytes_of(textured((320, 240)), "TIFF", compression="tiff_adobe_deflate")
    assert list(signs(data)) == []
    (sign,) = signs(holed(data))
    assert not sign.proof and "long run" in sign.what


@pytest.mark.parametrize("compression", [None, "packbits"])
def test_plain_data_may_hold_any_run(compression):
    assert list(signs(bytes_of(Image.new("RGB", (320, 240)), "TIFF", compression=compression))) == []


def test_big_endian_file_is_read_as_well(tmp_path):
    big_endian(tmp_path / "a.tif")
    assert list(signs((tmp_path / "a.tif").read_bytes())) == []
