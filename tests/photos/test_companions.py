import pytest

from gentra_lora.photos.companions import is_companion


def found(tmp_path, photo, other):
    for name in (photo, other):
        (tmp_path / name).write_bytes(b"x")
    return is_companion(tmp_path / other, {(tmp_path / photo).with_suffix("")})


@pytest.mark.parametrize(
    "photo, companion",
    [
        ("IMG_1.HEIC", "IMG_1.MOV"),
        ("b.jpg", "b.jpg.json"),
        ("b.jpg", "b.jpg.supplemental-metadata.json"),
        ("b.jpg", "b.jpg.supplemental-metadata(2).json"),
        ("b(1).jpg", "b.jpg(1).json"),
        ("b(1).jpg", "b.jpg.supplemental-metadata(1).json"),
        ("PXL_2.MP.jpg", "PXL_2.MP.jpg.suppl.json"),
        ("DSC_3.JPG", "DSC_3.NEF"),
        ("b.jpg", "b.DNG"),
    ],
)
def test_file_that_belongs_to_a_photo_is_its_companion(tmp_path, photo, companion):
    assert found(tmp_path, photo, companion)


@pytest.mark.parametrize("other", ["metadata.json", "b.NEF", "c.jpg(1).json", "a.b.json", "b.jpg", "a.txt"])
def test_file_that_may_be_a_photo_or_captions_is_none(tmp_path, other):
    assert not found(tmp_path, "a.jpg", other)
