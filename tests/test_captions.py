import pytest

from gentra_lora.captions import Captions, has_trigger, lost_words, problem_of, with_trigger, without_trigger

TRIGGER = "sport gentra"


def test_trigger_word_is_put_in_front_only_where_it_is_missing():
    assert with_trigger("a car", TRIGGER) == "sport gentra, a car"
    assert with_trigger("a Sport Gentra", TRIGGER) == "a Sport Gentra"


@pytest.mark.parametrize("caption", ["SPORT GENTRA", "a sport  gentra.", "the 'sport gentra' at night"])
def test_trigger_word_is_found_in_any_case_and_spacing(caption):
    assert has_trigger(caption, TRIGGER)


@pytest.mark.parametrize("caption", ["transport gentralia", "sport gentras", "gentra sport", ""])
def test_trigger_word_is_not_found_inside_other_words(caption):
    assert not has_trigger(caption, TRIGGER)


def test_trigger_word_is_replaced_whatever_its_case():
    assert without_trigger("a Sport Gentra at night", TRIGGER, "sedan") == "a sedan at night"
    assert without_trigger("a sport gentra", TRIGGER, r"\1 sedan") == r"a \1 sedan"


def test_words_beyond_the_limit_are_shown(tokenizer):
    assert lost_words("a" * 38, tokenizer) == ""
    assert lost_words("a" * 38 + "xyz", tokenizer) == "xyz"


@pytest.mark.parametrize("caption", ["a car", "машина, ночь", "o‘zbek g‘ildirak", '50 % "gold" wheels', "a 🚗"])
def test_ordinary_caption_has_no_problem(caption):
    assert problem_of(caption) is None


@pytest.mark.parametrize(
    ("caption", "problem"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a\tcar", r"control character U\+0009"),
        ("a\0car", r"control character U\+0000"),
        ("a\u2028car", r"control character U\+2028"),
        ("a\x85car", r"control character U\+0085"),
        ("\ufeffa car", r"byte order mark \(U\+FEFF\)"),
        ("a \ufffd car", r"replacement character \(U\+FFFD\)"),
    ],
)
def test_caption_that_cannot_be_meant_is_a_problem(caption, problem):
    import re

    assert re.search(problem, problem_of(caption))


def test_second_caption_of_a_photo_is_a_problem_that_names_it():
    captions = Captions("test")
    captions.add("a.jpg", "one", "line 1")
    captions.add("a.jpg", "two", "line 2")
    assert captions.of == {"a.jpg": "one"}
    assert captions.problems == ["line 2: a second caption for a.jpg; keep one"]
