import re

import pytest
from dvc.utils.serialize import loads_yaml

from gentra_lora.commands.params_edit import EditError, with_deps, with_values
from gentra_lora.params import ParamsError, ParamsTextError, read_params
from tests.conftest import ROOT, shipped_dvc_yaml
from tests.params_walk import by_key, rounds

pytestmark = pytest.mark.repository

TEXT = (ROOT / "profiles/sd15_t4.yaml").read_text(encoding="utf-8")


def changed_lines(edits):
    return [line.strip() for line in with_values(TEXT, edits).splitlines() if line not in TEXT.splitlines()]


def test_nothing_but_the_values_changes():
    assert with_values(TEXT, {}) == TEXT
    assert changed_lines({"train.rank": "32"}) == ["rank: 32 # the usual choice for one subject; rank costs no time"]


@pytest.mark.parametrize("text", ["1e-4", "5e-05", "0.00005", "1e-05"])
def test_float_arrives_as_that_float_however_it_is_written(text):
    assert read_params(with_values(TEXT, {"train.learning_rate": text})).train.learning_rate == float(text)


def test_lists_null_and_words_are_yaml():
    params = read_params(
        with_values(TEXT, {"evaluate.seeds": "[1, 2, 3]", "train.sample_every": "null", "base.model": "owner/name"})
    )
    assert (params.evaluate.seeds, params.train.sample_every, params.base.model) == ([1, 2, 3], None, "owner/name")


def test_unknown_key_is_refused_with_the_nearest_one():
    with pytest.raises(EditError, match=r"train\.learnin_rate: unknown key; did you mean train\.learning_rate\?"):
        with_values(TEXT, {"train.learnin_rate": "1"})


def test_value_that_is_no_yaml_is_refused():
    with pytest.raises(EditError, match=r"train\.rank: '\[1' is no value"):
        with_values(TEXT, {"train.rank": "[1"})


def test_local_base_becomes_a_dependency_of_every_stage_and_nothing_else_changes():
    text = shipped_dvc_yaml()
    assert with_deps(text, []) == text
    added = with_deps(text, ["models/base.safetensors"])
    assert [line for line in added.splitlines() if line not in text.splitlines()] == [
        "      - models/base.safetensors"
    ] * 4
    assert with_deps(added, ["models/base.safetensors"]) == added


def in_yaml(value):
    """Return a value as one writes it after `gentra-lora set KEY=`."""
    if isinstance(value, str):
        plain = re.fullmatch(r"[a-zA-Z][\w /-]*", value, re.ASCII) and loads_yaml(value) == value
        return value if plain else '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(in_yaml, value))}]"
    return {"None": "null"}.get(repr(value), repr(value))


def test_whatever_is_set_for_every_key_is_read_as_it_was_meant_by_us_and_by_dvc_and_comments_stay():
    comments = re.findall("# .*", TEXT)
    for meant in rounds():
        changed = with_values(TEXT, {key: in_yaml(value) for key, value in meant.items()})
        blocks = loads_yaml(changed)
        assert by_key(read_params(changed)) == meant
        assert {f"{block}.{key}": value for block, values in blocks.items() for key, value in values.items()} == meant
        assert [comment for comment in comments if comment not in changed] == []


@pytest.mark.parametrize("text", ["5e-324", "5.507562651072507e-08", "1_0.50", ".5e-5", "+1.", "1E-4", ".inf", "-1.50"])
def test_number_that_is_not_set_stays_as_it_was_written(text):
    text = f"train:\n  rank: 8\n  learning_rate: {text} # a\n"
    assert with_values(text, {"train.rank": "16"}) == text.replace("8", "16", 1)


@pytest.mark.parametrize("text", ["no", "on", "yes", "1:30", "0o9", "a b", "models/nano-sd"])
def test_plain_words_are_set_as_those_words(text):
    assert read_params(with_values(TEXT, {"evaluate.class_noun": text})).evaluate.class_noun == text


@pytest.mark.parametrize(("text", "found"), [("007", "7"), ("1e3", "1000.0"), ("null", "None"), ("true", "True")])
def test_what_is_set_is_what_params_yaml_then_says(text, found):
    with pytest.raises(ParamsError, match=f"evaluate.class_noun: .* not {found}; quotes make a string of it"):
        read_params(with_values(TEXT, {"evaluate.class_noun": text}))


def test_key_that_stands_twice_is_refused_by_its_line():
    line = len(TEXT.splitlines()) + 1
    with pytest.raises(ParamsTextError, match=rf"params\.yaml: .*line {line}: found duplicate key \"seeds\""):
        with_values(TEXT + "  seeds: [1]\n", {"train.rank": "8"})


@pytest.mark.parametrize("text", ["", "a", "train: 5"])
def test_text_without_blocks_is_told(text):
    with pytest.raises(EditError, match="is not blocks of keys"):
        with_values(text, {"train.rank": "8"})
