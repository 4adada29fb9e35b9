from gentra_lora.photos.damage.riff import signs
from tests.photos.zoo import bytes_of, textured


def test_whole_file_shows_no_sign():
    assert list(signs(bytes_of(textured(), "WEBP"))) == []


def test_file_shorter_than_its_header_says_is_proven():
    (sign,) = signs(bytes_of(textured(), "WEBP")[:-10])
    assert sign.proof


def test_long_run_is_named_and_proves_nothing():
    data = bytes_of(textured((640, 480)), "WEBP", quality=95)
    at = len(data) // 2
    (sign,) = signs(data[:at] + bytes(1000) + data[at + 1000 :])
    assert not sign.proof and "long run" in sign.what
