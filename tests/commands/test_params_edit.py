import pytest

from gentra_lora.commands.params_edit import EditError, with_deps, with_values
from gentra_lora.params import ParamsError, read_params
from tests.conftest import ROOT, shipped_dvc_yaml

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


@pytest.mark.parametrize("text", ["no", "1e3", "12", "null", "2026-11-25", "a b", "a: b", "# a"])
def test_words_that_yaml_reads_as_something_else_can_be_set_in_quotes(text):
    changed = with_values(TEXT, {"evaluate.class_noun": f'"{text}"'})
    assert read_params(changed).evaluate.class_noun == text


def test_what_is_set_is_what_params_yaml_then_says():
    with pytest.raises(ParamsError, match="evaluate.class_noun: .* not 90"):
        read_params(with_values(TEXT, {"evaluate.class_noun": "1:30"}))


@pytest.mark.parametrize("text", ["", "a", "train: 5"])
def test_text_without_blocks_is_told(text):
    with pytest.raises(EditError, match="is not blocks of keys"):
        with_values(text, {"train.rank": "8"})
