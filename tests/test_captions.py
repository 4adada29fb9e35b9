import pytest

from gentra_lora.captions import CaptionError, lost_words, read_captions, with_trigger, without_trigger

NAMES = ["img10.jpg", "img2.jpg"]


def read(tmp_path, content, names=NAMES):
    path = tmp_path / "captions.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_captions(path, names)


@pytest.mark.parametrize("separator", ["\t", " | ", "|"])
def test_named_lines_go_to_their_photos_in_any_order(tmp_path, separator):
    captions = read(tmp_path, f"img2.jpg{separator}two\nimg10.jpg{separator}ten\n")
    assert captions == {"img2.jpg": "two", "img10.jpg": "ten"}


def test_plain_lines_follow_the_natural_order_of_the_names(tmp_path):
    assert read(tmp_path, "two\nten\n") == {"img2.jpg": "two", "img10.jpg": "ten"}


def test_byte_order_mark_and_windows_line_ends_are_no_part_of_a_caption(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbftwo\r\nten\r\n") == {"img2.jpg": "two", "img10.jpg": "ten"}


def test_counts_that_do_not_match_are_both_named(tmp_path):
    with pytest.raises(CaptionError, match="1 captions for 2 photos"):
        read(tmp_path, "only one\n")


def test_every_problem_of_a_named_file_is_told_at_once(tmp_path):
    with pytest.raises(CaptionError) as caught:
        read(tmp_path, "img2.jpg\t\nimg3.jpg\tthree\nno name\nimg2.jpg\tagain\n")
    text = str(caught.value)
    for part in (
        "line 1: the caption of img2.jpg is empty",
        "line 2: no photo is called img3.jpg",
        "line 3: no file name before the caption: 'no name'",
        "line 4: a second caption for img2.jpg",
        "img10.jpg: has no caption",
    ):
        assert part in text


def test_other_encoding_is_an_error_that_names_the_line(tmp_path):
    with pytest.raises(CaptionError, match="line 2 is not UTF-8"):
        read(tmp_path, b"two\n" + "машина\n".encode("cp1251"))


def test_missing_file_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(CaptionError, match=r"captions\.txt: no such file; write one line a photo"):
        read_captions(tmp_path / "captions.txt", NAMES)


def test_trigger_word_is_put_in_front_only_where_it_is_missing():
    assert with_trigger("a car", "sport gentra") == "sport gentra, a car"
    assert with_trigger("a Sport Gentra", "sport gentra") == "a Sport Gentra"


def test_trigger_word_is_replaced_whatever_its_case():
    assert without_trigger("a Sport Gentra at night", "sport gentra", "sedan") == "a sedan at night"


def test_words_beyond_the_limit_are_shown(tokenizer):
    assert lost_words("a" * 38, tokenizer) == ""
    assert lost_words("a" * 38 + "xyz", tokenizer) == "xyz"


@pytest.mark.parametrize("separator", [", ", ": ", " "])
def test_name_before_another_separator_is_refused_rather_than_taken_for_a_caption(tmp_path, separator):
    with pytest.raises(CaptionError, match="line 1 begins with a photo's name, but no tab or"):
        read(tmp_path, f"img10.jpg{separator}ten\nimg2.jpg{separator}two\n")


def test_bar_inside_a_caption_is_no_separator(tmp_path):
    captions = read(tmp_path, "a car at 5.30pm | night\nten\n")
    assert captions == {"img2.jpg": "a car at 5.30pm | night", "img10.jpg": "ten"}


def test_photo_name_may_hold_spaces_dots_and_other_scripts(tmp_path):
    names = ["моя машина 1.jpg", "a.b (2).jpeg"]
    captions = read(tmp_path, "моя машина 1.jpg\tone\na.b (2).jpeg\ttwo\n", names)
    assert captions == {"моя машина 1.jpg": "one", "a.b (2).jpeg": "two"}


def test_odd_digits_in_a_name_do_not_break_the_order(tmp_path):
    assert read(tmp_path, "one\ntwo\n", ["a².jpg", "a1.jpg"]).keys() == {"a².jpg", "a1.jpg"}
