import click
import pytest

from gentra_lora.commands.syntax.kinds import Edit, Name, Number, Text


def told(kind, value):
    with pytest.raises(click.UsageError) as refused:
        kind.convert(value, None, None)
    return refused.value.message


def test_number_is_of_its_kind_finite_and_accepted():
    even = Number(int, "even", lambda n: n % 2 == 0)
    assert (even.convert("-4", None, None), Number(float, "finite").convert("1e-3", None, None)) == (-4, 0.001)
    assert told(even, "3") == "3 is not even"
    assert told(even, "1.5") == "1.5 is no whole number"
    assert told(Number(float, "finite"), "much") == "much is no number"
    assert told(Number(float, "finite"), "nan") == "nan is not finite"


def test_name_is_one_of_the_known_and_the_nearest_is_told():
    names = Name(("euler", "ddim"))
    assert names.convert("ddim", None, None) == "ddim"
    assert told(names, "eular") == "eular is unknown; did you mean euler?"
    assert told(names, "xyz") == "xyz is unknown; there are euler, ddim"


def test_edit_is_a_pair_parted_at_the_first_sign():
    assert Edit().convert("a.b=x=y", None, None) == ("a.b", "x=y")
    assert told(Edit(), "a.b") == "a.b is not KEY=VALUE"


def test_text_is_kept_as_it_is_and_bytes_that_are_no_utf8_are_refused():
    assert Text().convert("снег 雪 -", None, None) == "снег 雪 -"
    assert told(Text(), "\udcff") == "is not UTF-8; look at the terminal's encoding"
