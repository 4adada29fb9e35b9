from gentra_lora.photos.damage.png import signs
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
