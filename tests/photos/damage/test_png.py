import io
import zlib

import pytest
from PIL import Image

from gentra_lora.photos.damage.png import signs, without_large_texts
from gentra_lora.photos.photo import open_upright
from tests.photos.zoo import bytes_of, textured


def test_whole_file_shows_no_sign():
    assert list(signs(bytes_of(textured(), "PNG"))) == []


def test_changed_byte_of_the_picture_is_proven_by_the_checksum():
    data = bytearray(bytes_of(textured(), "PNG"))
    data[len(data) // 2] ^= 1
    (sign,) = signs(bytes(data))
    assert sign.proof and "the checksum of its IDAT chunk" in sign.what


def test_changed_byte_of_a_comment_is_no_sign():
    data = bytes_of(textured(), "PNG", dpi=(72, 72))
    at = data.index(b"pHYs") + 5
    assert list(signs(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])) == []


def test_missing_end_is_named_and_proves_nothing():
    (sign,) = signs(bytes_of(textured(), "PNG")[:-12])
    assert sign == ("has no end marker: its last bytes are lost", False)


BOMB = zlib.compress(bytes(2**20 + 1))


def with_text(kind, body, after=b"IHDR"):
    """Return a PNG with a text chunk more, behind the last chunk of a kind."""
    data = bytes_of(textured(), "PNG")
    at = data.rindex(after)
    at += 8 + int.from_bytes(data[at - 4 : at])
    chunk = len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
    return data[:at] + chunk + data[at:]


@pytest.mark.parametrize("after", [b"IHDR", b"IDAT"])
@pytest.mark.parametrize(("kind", "head"), [(b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")])
def test_good_picture_is_opened_without_a_text_that_unpacks_to_too_much(kind, head, after):
    data = with_text(kind, head + BOMB, after)
    with pytest.raises(ValueError, match="too large"), Image.open(io.BytesIO(data)) as opened:
        opened.load()
    assert without_large_texts(data) == bytes_of(textured(), "PNG")
    assert open_upright(io.BytesIO(data), "a.png").tobytes() == textured().tobytes()


def test_many_texts_are_kept_up_to_what_may_be_held():
    body = b"a\0\0" + zlib.compress(bytes(2**20))
    chunk = len(body).to_bytes(4) + b"zTXt" + body + zlib.crc32(b"zTXt" + body).to_bytes(4)
    data = bytes_of(textured(), "PNG")
    assert without_large_texts(data[:33] + chunk * 70 + data[33:]).count(b"zTXt") == 64
    assert open_upright(io.BytesIO(data[:33] + chunk * 70 + data[33:]), "a.png").tobytes() == textured().tobytes()


@pytest.mark.parametrize("body", [b"a\0\0" + zlib.compress(b"words"), b"a\0\0broken", b"a", b""])
def test_texts_that_harm_nobody_stay(body):
    data = with_text(b"zTXt", body)
    assert without_large_texts(data) is data


def test_file_that_is_cut_short_stays_as_it_is():
    data = bytes_of(textured(), "PNG")
    for length in (0, 8, 20, len(data) // 2):
        assert without_large_texts(data[:length]) == data[:length]
