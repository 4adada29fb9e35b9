import io

import pytest
from PIL import Image

from gentra_lora.photos.damage.jpeg import signs
from tests.photos.zoo import bytes_of, textured

KINDS = {
    "baseline": {"subsampling": 2},
    "full colour": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 20},
}
FILLS = {"zeros": b"\0", "ones": b"\xff", "others": bytes(range(7, 250, 3))}


def hole(data, share, fill, size=4096):
    at = int(share * len(data))
    return data[:at] + (fill * size)[:size] + data[at + size :]


def jpeg(kind):
    return bytes_of(textured((640, 480)), "JPEG", quality=90, **KINDS[kind])


def proofs(data):
    return [sign.what for sign in signs(data) if sign.proof]


@pytest.mark.parametrize("kind", KINDS)
def test_whole_file_shows_no_sign(kind):
    assert list(signs(jpeg(kind))) == []


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("kind", KINDS)
def test_hole_that_pillow_does_not_see_is_proven(kind, fill):
    for share in (0.1, 0.2):  # of a progressive file: bits that are seen; the last ones are under a level
        assert len(proofs(hole(jpeg(kind), share, FILLS[fill]))) == 1


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", KINDS)
def test_file_that_was_cut_and_closed_is_proven(kind, share):
    data = jpeg(kind)
    assert len(proofs(data[: int(share * len(data))] + b"\xff\xd9")) == 1


def test_zeroed_end_is_proven():
    data = jpeg("baseline")
    assert len(proofs(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))) == 1


def test_zeros_in_the_last_bits_of_a_progressive_file_are_named():
    data = jpeg("progressive")
    for share in (0.7, 0.8):
        assert list(signs(hole(data, share, b"\0")))


def test_missing_end_marker_alone_is_named_and_proves_nothing():
    (sign,) = signs(jpeg("baseline")[:-2])
    assert sign == ("has no end marker: its last bytes are lost", False)


def test_missing_scans_of_a_progressive_file_are_named():
    data = jpeg("progressive")
    last = data.rindex(b"\xff\xda")
    (sign,) = signs(data[:last] + b"\xff\xd9")
    assert "progressive scans" in sign.what and not sign.proof


@pytest.mark.parametrize("padding", [bytes(600), b"\xff" * 600, b"\xa5\x11\0\0\7"])
def test_padding_of_cameras_before_the_end_is_no_damage(padding):
    assert list(signs(jpeg("baseline")[:-2] + padding + b"\xff\xd9")) == []


def test_what_follows_the_picture_is_not_looked_at():
    assert list(signs(jpeg("baseline") + bytes(5000) + b"MotionPhoto_Data")) == []


def test_odd_scan_header_of_cameras_is_no_damage():
    data = bytearray(jpeg("baseline"))
    at = data.index(b"\xff\xda")
    data[at + 11 : at + 14] = bytes(3)  # the standard wants 0, 63, 0 here
    assert list(signs(bytes(data))) == []


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_printers_colours_are_checked_as_well(mode):
    buffer = io.BytesIO()
    textured((640, 480)).convert(mode).save(buffer, "JPEG", quality=90)
    assert list(signs(buffer.getvalue())) == []
    assert proofs(hole(buffer.getvalue(), 0.3, b"\0"))


def test_one_colour_in_codes_of_zeros_alone_is_whole():
    assert list(signs(bytes_of(Image.new("RGB", (640, 480)), "JPEG", optimize=True))) == []
