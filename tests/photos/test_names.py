import unicodedata

import pytest

from gentra_lora.photos.names import WrittenNames

KNOWN = WrittenNames(["img2.jpg", "shoot/img2.jpg", "shoot/Ёлка.JPG", "odd\\name.png", "images/deep.png"])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("img2.jpg", "img2.jpg"),
        ("images/img2.jpg", "img2.jpg"),
        ("IMAGES/IMG2.jpg", "img2.jpg"),
        ("/content/drive/MyDrive/sport_gentra/images/shoot/img2.jpg", "shoot/img2.jpg"),
        ("C:\\me\\images\\shoot\\img2.jpg", "shoot/img2.jpg"),
        ("shoot/ёлка.jpg", "shoot/Ёлка.JPG"),
        (unicodedata.normalize("NFD", "shoot/Ёлка.JPG"), "shoot/Ёлка.JPG"),
        ("odd\\name.png", "odd\\name.png"),
        ("images/deep.png", "images/deep.png"),
        ("images/images/deep.png", "images/deep.png"),
    ],
)
def test_written_name_is_found_where_it_can_only_mean_one_photo(written, name):
    assert KNOWN.find(written) == name


@pytest.mark.parametrize("written", ["shoot2/img2.jpg", "img2", "img3.jpg", "a red car, see images/img2.jpg", ""])
def test_other_names_are_no_photos(written):
    assert KNOWN.find(written) is None


def test_name_that_differs_from_two_photos_in_case_is_neither():
    assert WrittenNames(["a.jpg", "A.jpg"]).find("A.JPG") is None


@pytest.mark.parametrize(
    ("written", "near"), [("other/Ёлка.jpg", "shoot/Ёлка.JPG"), ("img_2.jpg", "img2.jpg"), ("?", None)]
)
def test_nearest_is_the_same_name_in_another_folder_or_the_most_alike(written, near):
    assert KNOWN.nearest(written) == near


@pytest.mark.parametrize(
    ("line", "begins"), [('"IMG2.jpg: a', True), ("images/img2.jpg a", True), ("a img2.jpg", False)]
)
def test_line_begins_with_a_photos_name_whatever_follows(line, begins):
    assert KNOWN.begins(line) is begins
