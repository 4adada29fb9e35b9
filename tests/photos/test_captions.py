import unicodedata

import pytest

from gentra_lora.photos.captions import Captions, has_trigger, lost_words, problem_of, with_trigger, without_trigger

TRIGGER = "sport gentra"


def test_trigger_word_is_put_in_front_where_it_is_missing():
    assert with_trigger("a car", TRIGGER) == "sport gentra, a car"


def test_caption_that_holds_the_trigger_word_stays_as_it_is():
    assert with_trigger("a Sport  Gentra", TRIGGER) == "a Sport  Gentra"


@pytest.mark.parametrize(
    "caption",
    ["sport gentra", "SPORT GENTRA", "a sport   gentra.", "the 'Sport\u00a0Gentra' at night", "(sport gentra)"],
)
def test_trigger_word_is_found_in_any_case_and_spacing(caption):
    assert has_trigger(caption, TRIGGER)


@pytest.mark.parametrize(
    "caption", ["transport gentralia", "sport gentras", "transport gentra", "gentra sport", "sport-gentra", ""]
)
def test_trigger_word_is_not_found_inside_or_beside_other_words(caption):
    assert not has_trigger(caption, TRIGGER)


@pytest.mark.parametrize(
    ("trigger", "caption"), [("Ёлка", "моя ёлка!"), ("gʻildirak", "Gʻildirak, tun"), ("c++", "C++")]
)
def test_trigger_words_of_other_scripts_and_signs_are_found(trigger, caption):
    assert has_trigger(caption, trigger)


def test_trigger_word_is_replaced_wherever_it_stands_and_in_any_case():
    found = without_trigger("a Sport  Gentra at night, SPORT GENTRA, transport gentralia", TRIGGER, "sedan")
    assert found == "a sedan at night, sedan, transport gentralia"


def test_class_noun_is_taken_literally():
    assert without_trigger("a sport gentra", TRIGGER, r"\1 sedan") == r"a \1 sedan"


def test_caption_within_the_limit_loses_no_word(tokenizer):
    assert lost_words("a" * 38, tokenizer) == ""


def test_words_beyond_the_limit_are_shown(tokenizer):
    assert lost_words("a" * 38 + "xyz", tokenizer) == "xyz"


@pytest.mark.parametrize("caption", ["a car", "машина, ночь", "o‘zbek g‘ildirak", '50 % "gold" wheels', "a 🚗"])
def test_ordinary_caption_has_no_problem(caption):
    assert problem_of(caption) is None


@pytest.mark.parametrize(
    ("caption", "problem"),
    [
        ("", "the caption is empty; describe the photo"),
        (" \u00a0 ", "the caption is empty; describe the photo"),
        ("a\tcar", r"the caption 'a\tcar' holds the control character U+0009; remove it"),
        ("a\0car", r"the caption 'a\x00car' holds the control character U+0000; remove it"),
        ("a\u2028car", r"the caption 'a\u2028car' holds the control character U+2028; remove it"),
        ("a\x85car", r"the caption 'a\x85car' holds the control character U+0085; remove it"),
        ("a\ud83dcar", r"the caption 'a\ud83dcar' holds the control character U+D83D; remove it"),
        ("\ufeffa", r"the caption '\ufeffa' holds a byte order mark (U+FEFF); save the file as UTF-8"),
        ("a \ufffd", "the caption 'a \ufffd' holds a replacement character (U+FFFD); save the file as UTF-8"),
    ],
)
def test_caption_that_cannot_be_meant_is_a_problem_with_the_way_out(caption, problem):
    assert problem_of(caption) == problem


def test_captions_are_kept_in_the_composed_form():
    captions = Captions("test")
    captions.add("a.jpg", unicodedata.normalize("NFD", "ёлка é"), "line 1")
    assert captions.of == {"a.jpg": "ёлка é"}


def test_problem_of_a_caption_is_told_with_its_place():
    captions = Captions("test")
    captions.add("a.jpg", "", "line 1")
    assert captions.problems == ["line 1: the caption is empty; describe the photo"]


def test_first_of_two_captions_is_kept_and_the_second_is_a_problem():
    captions = Captions("test")
    captions.add("a.jpg", "one", "line 1")
    captions.add("a.jpg", "two", "line 2")
    assert captions.of == {"a.jpg": "one"}
    assert captions.problems == ["line 2: a second caption for a.jpg; keep one"]
