import codecs

import pytest

from gentra_lora.caption_lines import read_lines

NAMES = ["img2.jpg", "img10.jpg"]  # in natural order


def read(content, names=NAMES):
    return read_lines(content.encode() if isinstance(content, str) else content, "captions.txt", names)


def right(content, names=NAMES):
    captions = read(content, names)
    assert captions.problems == []
    return captions.of


def problem(content, names=NAMES):
    """The one problem that the content has."""
    (found,) = read(content, names).problems
    return found


@pytest.mark.parametrize("separator", ["\t", ",", "|", " | ", ", ", " \t "])
def test_named_lines_go_to_their_photos_in_any_order(separator):
    lines = f"img10.jpg{separator}ten\nimg2.jpg{separator}two\n"
    assert right(lines) == {"img2.jpg": "two", "img10.jpg": "ten"}


def test_form_is_told():
    assert read("img10.jpg\tten\nimg2.jpg\ttwo\n").form == "file name, tab, caption"
    assert read("two\nten\n").form == "one caption a line, in the natural order of the file names"


def test_lines_alone_follow_the_natural_order():
    assert right("two\nten\n") == {"img2.jpg": "two", "img10.jpg": "ten"}


def test_caption_may_hold_separators():
    assert right("img2.jpg, a car, red | night\nimg10.jpg|a, b\n") == {
        "img2.jpg": "a car, red | night",
        "img10.jpg": "a, b",
    }
    assert right("a car, red\nat 5.30pm | night\n") == {"img2.jpg": "a car, red", "img10.jpg": "at 5.30pm | night"}


def test_name_may_hold_separators_and_begin_another_name():
    names = ["a.jpg", "a.jpg,b.jpg", "c|d.png"]
    lines = "a.jpg,b.jpg,both\na.jpg,one\nc|d.png|bar\n"
    assert right(lines, names) == {"a.jpg,b.jpg": "both", "a.jpg": "one", "c|d.png": "bar"}


def test_quotes_of_a_spreadsheet_are_taken_off():
    assert right('img2.jpg,"a ""red"" car, new"\n"img10.jpg","ten"\n') == {
        "img2.jpg": 'a "red" car, new',
        "img10.jpg": "ten",
    }


@pytest.mark.parametrize(
    "name",
    ["моя машина 1.jpg", "a.b (2).jpeg", "ўзбек ғилдирак.png", "o‘zbek g‘ildirak.png", 'it\'s "50 %".jpg', "Ё й.heic"],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_other_scripts_are_found_in_both_unicode_forms(name, form):
    import unicodedata

    line = unicodedata.normalize(form, name) + "\tone\n"
    assert right(line, [unicodedata.normalize("NFC", name)]) == {unicodedata.normalize("NFC", name): "one"}


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbftwo \xc3\xbc\nten\n",
        codecs.BOM_UTF16_LE + "two ü\nten\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "two ü\nten\n".encode("utf-16-be"),
        "two ü\r\nten\r\n".encode(),
        "two ü\rten\r".encode(),
        "two ü\nten\n\n  \n".encode(),
    ],
    ids=["utf-8 with mark", "utf-16 le", "utf-16 be", "crlf", "cr", "blank end"],
)
def test_encodings_and_line_ends_that_editors_write_are_read(data):
    assert right(data) == {"img2.jpg": "two ü", "img10.jpg": "ten"}


def test_other_encoding_is_an_error_that_names_the_line():
    assert (
        problem(b"two\n" + "машина\n".encode("cp1251")) == "captions.txt: line 2 is not UTF-8; save the file as UTF-8"
    )


def test_utf_32_is_refused_by_name():
    assert "is UTF-32; save the file as UTF-8" in problem("two\nten\n".encode("utf-32"))


def test_utf_16_without_a_mark_is_refused():
    captions = read("two\nten\n".encode("utf-16-le"))
    assert any("control character U+0000" in found or "lines for" in found for found in captions.problems)


def test_line_separator_inside_a_caption_is_an_error_and_no_line_end():
    assert "control character U+2028" in problem("two\u2028more\nten\n")


def test_blank_line_in_the_middle_is_an_empty_caption():
    assert problem("\nten\n") == "captions.txt: line 1 (img2.jpg): the caption is empty; describe the photo"


def test_counts_that_do_not_match_are_both_named():
    assert "1 line for 2 photos" in problem("only one\n")
    assert "3 lines for 2 photos" in problem("1\n2\n3\n")


def test_empty_file_is_an_error_with_the_way_out():
    assert "is empty; write captions.txt: on each line" in problem("\n\n")


def test_every_problem_of_a_named_file_is_told_at_once():
    found = "\n".join(read("img2.jpg\t\nimg3.jpg\tthree\nno name\nimg2.jpg\tagain\nimg10.jpg\tte\0n\n").problems)
    for part in (
        "line 1: the caption is empty",
        "line 2 begins with no photo's name: 'img3.jpg\\tthree' (did you mean",
        "line 3 begins with no photo's name: 'no name'",
        "line 4: a second caption for img2.jpg",
        "line 5: the caption 'te\\x00n' holds the control character U+0000",
    ):
        assert part in found


def test_names_of_photos_that_are_all_missing_are_not_taken_for_captions():
    assert "line 1 names no photo that is there: 'img3.jpg\\tthree'" in problem("img3.jpg\tthree\nimg4.jpg\tfour\n")


def test_names_without_endings_are_refused_rather_than_taken_for_captions():
    assert "write 'img2.jpg', a tab, the caption" in problem("img2, two\nimg10, ten\n")


def test_name_without_a_separator_is_refused_rather_than_taken_for_a_caption():
    captions = read("img10.jpg ten\nimg2.jpg: two\n")
    assert len(captions.problems) == 2
    assert "line 1 begins with a photo's name, but no tab, comma or bar" in captions.problems[0]
