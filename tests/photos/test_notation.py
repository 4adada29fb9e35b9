"""The notation of other programs in prompts and captions."""

import pytest

from gentra_lora.photos.notation import (
    NotationError,
    Prompt,
    check_notation,
    emphasis,
    foreign_notation,
    read_tags,
    says_nothing,
)

NAME = "sport_gentra_lora"
PLAIN = (
    "a photo of a sport gentra in the snow, side view",
    "a photo of a sport gentra (rear view), at 10:30",
    "break lights, a BREAKER on the road",
    "ratio 16:9, snake_case, 3 < 4 and 5 > 2",
    "фото машины [зима]",
)
NOTATION = (
    "a car <lora:other:0.7>",
    "a car <hypernet:x:1>",
    "a (red:1.3) car",
    "a ((red)) car",
    "a (red car, side view: .5)",
    "a [[red]] car",
    "a [red:blue:10] car",
    "a [red:0.5] car",
    "a [red|blue] car",
    "a car BREAK snow",
    "a car, embedding:easynegative",
    "a {red|blue} car",
    "a __colour__ car",
)


@pytest.mark.parametrize("text", PLAIN)
def test_words_are_no_notation(text):
    assert foreign_notation(text) is None
    assert read_tags(text, NAME) == Prompt(text, None)


@pytest.mark.parametrize("text", NOTATION)
def test_notation_is_named_with_its_text_and_refused(text):
    said = foreign_notation(text)
    assert said and "remove it" in said
    with pytest.raises(NotationError):
        read_tags(text, NAME)


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        (f"a car <lora:{NAME}:0.3>", Prompt("a car", 0.3)),
        (f"a car <lora:{NAME}>, side view", Prompt("a car, side view", 1.0)),
        (f"<LoRA: {NAME.upper()} : 1.25 > a car", Prompt("a car", 1.25)),
        (f"a car <lora:{NAME}.safetensors:.5>", Prompt("a car", 0.5)),
        (f"a car <lora:{NAME}:0.5:0.5>", Prompt("a car", 0.5)),
        (f"a car <lora:{NAME}:0.5> <lora:{NAME}:0.50>", Prompt("a car", 0.5)),
        (f"a car <lora:{NAME}:-1>", Prompt("a car", -1.0)),
    ],
)
def test_own_tag_leaves_the_prompt_and_says_the_strength(prompt, wanted):
    assert read_tags(prompt, NAME) == wanted


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (f"a car <lora:{NAME}:strong>", "write one strength"),
        (f"a car <lora:{NAME}:0.5:0.8>", "write one strength"),
        (f"a car <lora:{NAME}:0.5> <lora:{NAME}:0.8>", "strengths 0.5 and 0.8; keep one"),
        ("a car <lora:gentra2:0.5>", f"the adapter here is {NAME}"),
        (f"a (red:1.3) car <lora:{NAME}:0.5>", "'(red:1.3)', a weight"),
        (f"<lora:{NAME}:0.5>", "is empty but for the adapter's tag; say what to draw"),
        (f"\u200b<lora:{NAME}:0.5>\u3164", "is empty but for the adapter's tag; say what to draw"),
        ("\u200b\u200d\u2060 \ufeff", "is empty; say what to draw"),
        ("", "is empty; say what to draw"),
    ],
)
def test_tag_that_cannot_be_followed_is_refused(prompt, message):
    with pytest.raises(NotationError, match=message.replace("(", r"\(").replace(")", r"\)")):
        read_tags(prompt, NAME)


def test_adapter_is_known_by_its_files_name_and_by_its_headers():
    names = (NAME, "sport_gentra", "")
    assert read_tags("a car <lora:sport_gentra:0.3>", *names) == Prompt("a car", 0.3)
    assert read_tags(f"a car <lora:{NAME}:0.3>", *names) == Prompt("a car", 0.3)
    with pytest.raises(NotationError, match=f"the adapter here is {NAME} or sport_gentra; remove"):
        read_tags("a car <lora:gentra:0.3>", *names)
    with pytest.raises(NotationError):
        read_tags("a car <lora::0.3>", *names)


def test_single_brackets_are_found_and_escaped_ones_are_not():
    assert emphasis("a car (in snow)") == (
        "the brackets of '(in snow)' stress nothing here; they are read as a sign like others"
    )
    assert emphasis(r"a car \(in snow\)") is None
    assert emphasis("a car") is None


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200d", "\ufeff", "\u3164\u2800", "\ufe0f"])
def test_text_of_which_no_sign_is_seen_says_nothing(text):
    assert says_nothing(text)
    with pytest.raises(NotationError, match="is empty; say what to draw"):
        check_notation(["a car", text])


@pytest.mark.parametrize("text", ["a", "\u200ba", "\u96ea", "\u2744\ufe0f", "\u0301"])
def test_text_with_a_sign_says_something(text):
    assert not says_nothing(text)
