import codecs
import unicodedata

import pytest

from gentra_lora.photos.caption_lines import read_lines

NAMES = ["img2.jpg", "img10.jpg"]  # in natural order
TWO_AND_TEN = {"img2.jpg": "two", "img10.jpg": "ten"}


def problems(content, names=NAMES):
    return read_lines(content.encode() if isinstance(content, str) else content, "captions.txt", names).problems


def right(content, names=NAMES):
    """The captions of content without a problem."""
    captions = read_lines(content.encode() if isinstance(content, str) else content, "captions.txt", names)
    assert captions.problems == []
    return captions.of


def problem(content, names=NAMES):
    """The one problem that the content has."""
    (found,) = problems(content, names)
    return found


@pytest.mark.parametrize("separator", ["\t", ",", "|", " | ", ", ", " \t ", "   ,   "])
def test_named_lines_go_to_their_photos_in_any_order(separator):
    assert right(f"img10.jpg{separator}ten\nimg2.jpg{separator}two\n") == TWO_AND_TEN


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("img10.jpg\tten\nimg2.jpg\ttwo\n", "file name, tab, caption"),
        ("img10.jpg,ten\nimg2.jpg|two\n", "file name, bar or comma, caption"),
        ("two\nten\n", "one caption a line, in the natural order of the file names"),
    ],
)
def test_form_is_told(content, form):
    assert read_lines(content.encode(), "captions.txt", NAMES).form == form


def test_lines_alone_go_to_the_photos_in_their_order():
    assert right("two\nten\n") == TWO_AND_TEN


def test_spaces_around_names_and_captions_are_taken_off():
    assert right("  img2.jpg\t two  \n img10.jpg\tten \n") == TWO_AND_TEN
    assert right("  two \n ten\n") == TWO_AND_TEN


@pytest.mark.parametrize("separator", ["\t", ",", "|"])
@pytest.mark.parametrize("caption", ["a car, red", "a car | night", "a car, red | night, rain"])
def test_caption_may_hold_separators(separator, caption):
    assert right(f"img2.jpg{separator}{caption}\nimg10.jpg{separator}ten\n")["img2.jpg"] == caption


def test_lines_alone_may_hold_separators_and_dots():
    wanted = {"img2.jpg": "a car, red", "img10.jpg": "at 5.30pm | night"}
    assert right("a car, red\nat 5.30pm | night\n") == wanted


def test_names_may_hold_separators_and_begin_other_names():
    names = ["a.jpg", "a.jpg,b.jpg", "c|d.png", "e, f.png"]
    wanted = {"a.jpg,b.jpg": "both", "a.jpg": "one", "c|d.png": "bar", "e, f.png": "comma"}
    assert right("a.jpg,b.jpg,both\na.jpg,one\nc|d.png|bar\ne, f.png, comma\n", names) == wanted


def test_quotes_of_a_spreadsheet_are_taken_off():
    wanted = {"img2.jpg": 'a "red" car, new', "img10.jpg": "ten"}
    assert right('img2.jpg,"a ""red"" car, new"\n"img10.jpg","ten"\n') == wanted


def test_quotes_of_a_spreadsheet_are_taken_off_lines_alone():
    assert right('"a car, ""red"""\nten\n') == {"img2.jpg": 'a car, "red"', "img10.jpg": "ten"}


def test_quotes_that_belong_to_the_caption_stay():
    assert right('img2.jpg,"red" and "blue"\nimg10.jpg,ten\n')["img2.jpg"] == '"red" and "blue"'


def test_quotes_that_a_spreadsheet_doubles_in_names_are_understood():
    assert right('"the ""red"" one.jpg","two"\n', ['the "red" one.jpg']) == {'the "red" one.jpg': "two"}


NAMES_OF_PEOPLE = [
    "моя машина 1.jpg",
    "Ёлка и йогурт.heic",
    "ўзбек ғилдирак.png",
    "oʻzbek gʻildirak.png",
    "o‘zbek g‘ildirak.png",
    "été (2).jpeg",
    'it\'s "50 %".jpg',
    "лето 2024/вид.jpg",
]


@pytest.mark.parametrize("name", NAMES_OF_PEOPLE)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_other_scripts_are_found_in_both_unicode_forms(name, form):
    name = unicodedata.normalize("NFC", name)
    assert right(unicodedata.normalize(form, name) + "\tone\n", [name]) == {name: "one"}


ENCODED = {
    "utf-8": "two ü\nўз\n".encode(),
    "utf-8 with mark": codecs.BOM_UTF8 + "two ü\nўз\n".encode(),
    "utf-16 le": codecs.BOM_UTF16_LE + "two ü\nўз\n".encode("utf-16-le"),
    "utf-16 be": codecs.BOM_UTF16_BE + "two ü\nўз\n".encode("utf-16-be"),
    "utf-16 crlf": codecs.BOM_UTF16_LE + "two ü\r\nўз\r\n".encode("utf-16-le"),
    "crlf": "two ü\r\nўз\r\n".encode(),
    "cr": "two ü\rўз\r".encode(),
    "no line end": "two ü\nўз".encode(),
    "blank end": "two ü\nўз\n\n  \n".encode(),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_encodings_and_line_ends_that_editors_write_are_read(encoding):
    assert right(ENCODED[encoding]) == {"img2.jpg": "two ü", "img10.jpg": "ўз"}


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_other_encoding_is_an_error_that_names_the_line(mark, end):
    data = mark + f"two{end}машина{end}".encode("cp1251")
    assert problem(data) == "captions.txt: line 2 is not UTF-8; save the file as UTF-8"


def test_damaged_utf_16_is_an_error_that_names_the_line():
    data = codecs.BOM_UTF16_LE + "two\r\nten\r\n".encode("utf-16-le") + b"\x00\xdc"
    assert problem(data) == "captions.txt: line 3 is not UTF-16; save the file as UTF-8"


@pytest.mark.parametrize("mark", ["le", "be"])
def test_utf_32_is_refused_by_name(mark):
    bom = {"le": codecs.BOM_UTF32_LE, "be": codecs.BOM_UTF32_BE}[mark]
    assert problem(bom + "two\nten\n".encode(f"utf-32-{mark}")) == "captions.txt: is UTF-32; save the file as UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("content", ["two\nten\n", "два\r\nдесять", "img2.jpg\ttwo\nimg10.jpg\tten\n"])
def test_utf_16_without_a_mark_is_refused_by_name(encoding, content):
    found = problem(content.encode(encoding))
    assert found == "captions.txt: is UTF-16 without a byte order mark; save the file as UTF-8"


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_what_only_some_take_for_line_ends_is_a_control_character_in_a_caption(character):
    found = problem(f"two{character}more\nten\n")
    assert f"line 1 (img2.jpg): the caption {f'two{character}more'!r} holds the control character U+" in found


def test_blank_lines_between_named_lines_do_not_matter():
    assert right("\nimg2.jpg\ttwo\n\n  \nimg10.jpg\tten\n") == TWO_AND_TEN


def test_blank_line_in_place_of_a_caption_is_an_empty_caption():
    assert problem("\nten\n") == "captions.txt: line 1 (img2.jpg): the caption is empty; describe the photo"


def test_blank_line_between_captions_is_an_error_that_names_it():
    assert problem("two\n\nten\n").startswith("captions.txt: 3 lines for 2 photos, line 2 is blank; write one line")


@pytest.mark.parametrize(
    ("content", "counts"), [("only one\n", "1 line for 2 photos"), ("1\n2\n3\n", "3 lines for 2 photos")]
)
def test_counts_that_do_not_match_are_both_named(content, counts):
    way_out = "write one line a photo, best as: file name, tab, caption"
    assert problem(content) == f"captions.txt: {counts}; {way_out}"


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "\ufeff \n"])
def test_empty_file_is_an_error_with_the_way_out(content):
    assert problem(content).startswith("captions.txt: is empty; write captions.txt: on each line a photo's file name")


def test_second_caption_is_an_error():
    assert problem("img2.jpg,two\nimg10.jpg,ten\nimg2.jpg,again") == (
        "captions.txt: line 3: a second caption for img2.jpg; keep one"
    )


@pytest.mark.parametrize("separator", ["\t", ",", "|"])
def test_empty_caption_is_an_error(separator):
    found = problem(f"img2.jpg{separator}\nimg10.jpg{separator}ten\n")
    assert found == "captions.txt: line 1: the caption is empty; describe the photo"


def test_name_alone_is_an_error_that_asks_for_a_tab():
    found = problem("img2.jpg\nimg10.jpg\tten\n")
    assert "line 1 begins with a photo's name, but no tab, comma or bar follows it: 'img2.jpg'" in found


@pytest.mark.parametrize("wrong", ["img1.jpg", "img10.jpeg", "img_10.jpg", "shoot/img10.jpg"])
def test_name_of_no_photo_is_an_error_that_names_the_nearest(wrong):
    found = problem(f"img2.jpg\ttwo\n{wrong}\tten\n")
    assert f"line 2 begins with no photo's name: '{wrong}\\tten' (did you mean 'img10.jpg'?)" in found


def test_name_like_no_other_gets_no_hint():
    assert "did you mean" not in problem("img2.jpg\ttwo\nsunset.png\tten\n")


def test_every_problem_of_a_named_file_is_told_at_once():
    content = "img2.jpg\t\nimg3.jpg\tthree\nno name\nimg2.jpg\tagain\nimg10.jpg\tte\0n\nimg10.jpg: x\n"
    starts = [
        "line 1: the caption is empty",
        "line 2 begins with no photo's name",
        "line 3 begins with no photo's name",
        "line 4: a second caption for img2.jpg",
        "line 5: the caption 'te\\x00n' holds the control character U+0000",
        "line 6 begins with a photo's name, but",
    ]
    for found, start in zip(problems(content), starts, strict=True):
        assert found.startswith(f"captions.txt: {start}")


def test_every_problem_of_lines_alone_is_told_at_once():
    assert len(problems("\nte\u2028n\n\ufeffx\n", ["1.jpg", "2.jpg", "3.jpg"])) == 3


def test_every_bad_line_of_a_mixed_file_is_told():
    found = problems("img2.jpg\ttwo\na car\nanother car\n")
    assert ["line 2" in found[0], "line 3" in found[1], len(found)] == [True, True, 2]


def test_names_of_photos_that_are_all_missing_are_not_taken_for_captions():
    found = problems("img3.jpg\tthree\nimg4.jpg\tfour\n")
    assert ["line 1 begins with no photo's name" in line for line in found] == [True, False]
    assert "line 2 begins with no photo's name: 'img4.jpg\\tfour'" in found[1]


@pytest.mark.parametrize("line", ["{}, {}", "{}\t{}", '"{}","{}"', "{};{}"])
def test_names_without_endings_are_refused_rather_than_taken_for_captions(line):
    found = problem(line.format("img2", "two") + "\n" + line.format("img10", "ten"))
    assert found == (
        "captions.txt: lines begin with photos' names without their endings ('img2'); "
        "write 'img2.jpg', a tab, the caption"
    )


@pytest.mark.parametrize("line", ["{} {}", "{}: {}", '"{}" {}', '"{}": "{}"'])
def test_names_without_a_separator_are_refused_rather_than_taken_for_captions(line):
    found = problems(line.format("img10.jpg", "ten") + "\n" + line.format("img2.jpg", "two"))
    assert ["begins with a photo's name, but no tab, comma or bar follows it" in each for each in found] == [True] * 2


@pytest.mark.parametrize("written", ["images/{}", "./{}", "./images/{}", "data/raw/images/{}", "images\\{}", "{}  "])
@pytest.mark.parametrize("separator", ["\t", ",", "|", ";"])
def test_path_that_ends_in_images_is_the_photos_name(written, separator):
    content = "".join(f"{written.format(name)}{separator}{text}\n" for name, text in TWO_AND_TEN.items())
    assert right(content) == TWO_AND_TEN


@pytest.mark.parametrize("name", ["IMG10.JPG", "Img10.jpg", "images/IMG10.jpg"])
def test_case_of_a_name_does_not_matter(name):
    assert right(f"img2.jpg\ttwo\n{name}\tten\n") == TWO_AND_TEN


def test_name_with_spaces_around_it_is_found():
    assert right("cap.jpg\tone\n", [" cap.jpg"]) == {" cap.jpg": "one"}


@pytest.mark.parametrize(
    "row",
    [
        '"{}","{}",',
        '"{}","{}",,,',
        '{},"{}", ,',
        '"{}";"{}";',
        '"{}"\t"{}"\t',
        '"{}", "{}"',
        '"{}","{}" ,',
    ],
)
def test_quotes_are_taken_off_where_empty_columns_follow(row):
    wanted = {"img2.jpg": "a sport gentra, front view", "img10.jpg": "the rear; at night"}
    assert right("".join(row.format(*item) + "\n" for item in wanted.items())) == wanted


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("img2.jpg,1600,1200,a car, red\nimg10.jpg,1600,1200,a car\n", "'1600', '1200', 'a car', ' red'"),
        ("img2.jpg,a car, red,train\nimg10.jpg,a car,test\n", "'a car', ' red', 'train'"),
        ('img2.jpg,"a car, red",1600\nimg10.jpg,ten\n', "'a car, red', '1600'"),
        ('"img2.jpg","train","a car"\n"img10.jpg","test","a car"\n', "'train', 'a car'"),
        ("img2.jpg\ta car\ttrain\nimg10.jpg\ta car\n", "'a car', 'train'"),
        ("img2.jpg|0|a car\nimg10.jpg|1|a car\n", "'0', 'a car'"),
    ],
)
def test_columns_beside_name_and_caption_are_refused_once_and_not_taken_for_words(content, told):
    found = problem(content)
    assert "hold more than a name and a caption, and which column is the caption is not clear (line 1: " in found
    assert f"(line 1: {told}); put the caption in quotes, remove the others, or write their names above: f" in found


def test_numbers_and_words_of_a_split_in_some_captions_are_words():
    wanted = {"img2.jpg": "2 cars, 1999", "img10.jpg": "a car beside a train, train"}
    assert right("".join(f"{name},{text}\n" for name, text in wanted.items())) == wanted


def test_quote_that_does_not_close_is_an_error():
    found = problem('img2.jpg,"a car,\nimg10.jpg,ten\n')
    assert found.startswith("captions.txt: line 1: a quote opens and does not close")


@pytest.mark.parametrize("mark", ["{}. ", "{}) ", "({}) ", "{}: ", "{}.", "  {} - ", "{}\t", "{}, "])
@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_a_list_are_taken_off(mark, first):
    texts = ["two cars", "10 cars"] if mark != "{}." else ["two cars", "ten cars"]
    content = "".join(mark.format(number) + text + "\n" for number, text in enumerate(texts, first))
    assert [*right(content).values()] == texts


def test_numbers_alone_are_taken_off_where_they_count_the_lines():
    assert [*right("1 red\n2 blue\n3 cars\n", ["a.jpg", "b.jpg", "c.jpg"]).values()] == ["red", "blue", "cars"]


@pytest.mark.parametrize("bullet", ["- ", "* ", "• ", "  - "])
def test_bullets_of_a_list_are_taken_off(bullet):
    assert right(f"{bullet}two\n{bullet}ten\n") == TWO_AND_TEN


@pytest.mark.parametrize(
    "texts", [["2 cars", "3 cars"], ["1 car", "2 cars"], ["4-door car", "5-door car"], ["1.5 l", "2.0 l"], ["- a", "b"]]
)
def test_numbers_that_are_words_of_captions_stay(texts):
    assert [*right("\n".join(texts)).values()] == texts


@pytest.mark.parametrize("numbers", [(2, 1), (2, 10), (1, 1)])
def test_numbers_in_another_order_than_the_photos_are_refused(numbers):
    found = problem("".join(f"{number}. a car\n" for number in numbers))
    assert f"lines begin with numbers, and not in the order of the photos ({numbers[0]} first); write captio" in found


def test_list_that_counts_otherwise_than_the_photos_names_is_refused():
    assert "not in the order of the photos" in problem("1. a\n2. b\n", ["2.jpg", "3.jpg"])
    assert right("1. a\n2. b\n", ["01.jpg", "02.jpg"]) == {"01.jpg": "a", "02.jpg": "b"}


@pytest.mark.parametrize(
    "line", ["{n}) {name} - a car", "- {name}: a car", "{n}. Photo {name} a car", "[{name}] a car"]
)
def test_photos_names_do_not_become_captions_whatever_stands_around_them(line):
    text = "".join(line.format(n=n, name=name) + "\n" for n, name in enumerate(NAMES, 1))
    assert len(problems(text)) == len(NAMES)
