import pytest

from gentra_lora.photos.damage.boxes import signs
from tests.photos.zoo import bytes_of, textured

KINDS = ("HEIF", "AVIF")


def coded(kind):
    return bytes_of(textured((640, 480)), kind, quality=80)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_file_shows_no_sign(kind):
    assert list(signs(coded(kind))) == []


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x80"])
@pytest.mark.parametrize("kind", KINDS)
def test_hole_that_the_decoder_conceals_is_proven(kind, fill):
    data = coded(kind)
    at = len(data) // 2
    (sign,) = signs(data[:at] + fill * 512 + data[at + 512 :])
    assert sign.proof and "is overwritten" in sign.what


def test_three_zeros_are_proof_where_hevc_can_hold_none():
    data = coded("HEIF")
    at = len(data) // 2
    (sign,) = signs(data[:at] + bytes(3) + data[at + 3 :])
    assert sign.proof


@pytest.mark.parametrize("kind", KINDS)
def test_cut_file_is_proven(kind):
    (sign,) = signs(coded(kind)[:-100])
    assert sign.proof and "should end at byte" in sign.what


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_in_metadata_are_no_sign(kind):
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + bytes(2000)
    assert list(signs(bytes_of(textured(), kind, exif=exif))) == []
