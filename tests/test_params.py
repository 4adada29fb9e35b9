import re

import pytest
import yaml

from gentra_lora.params import Params, ParamsError, load_params, read_params
from tests.conftest import PROFILES, ROOT, demo_values

pytestmark = pytest.mark.repository


def parsed(block, **changed):
    values = demo_values()
    values[block] |= changed
    return read_params(yaml.safe_dump(values))


@pytest.mark.parametrize("name", PROFILES)
def test_every_shipped_profile_is_valid(name):
    assert isinstance(load_params(ROOT / f"profiles/{name}.yaml"), Params)


@pytest.mark.parametrize("written", ["5e-05", "5e-5", "0.00005", "1e-04"])
def test_floats_arrive_as_floats_however_dvc_writes_them(written):
    text = (ROOT / "profiles/demo.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"learning_rate: \S+", f"learning_rate: {written}", text)
    assert read_params(changed).train.learning_rate == pytest.approx(float(written))


def test_unknown_key_is_named_with_the_nearest_known_one():
    with pytest.raises(ParamsError, match=r"train\.learning_rat: unknown key; did you mean train\.learning_rate\?"):
        parsed("train", learning_rat=0.1)


def test_unknown_block_is_named_with_the_nearest_known_one():
    with pytest.raises(ParamsError, match=r"trian: unknown key; did you mean train\?"):
        read_params(yaml.safe_dump(demo_values() | {"trian": {}}))


def test_missing_key_is_named():
    values = demo_values()
    del values["train"]["rank"]
    with pytest.raises(ParamsError, match=r"train\.rank: missing"):
        read_params(yaml.safe_dump(values))


@pytest.mark.parametrize(
    ("block", "key", "value"),
    [
        ("train", "rank", "abc"),
        ("train", "rank", 8.0),
        ("train", "rank", True),
        ("train", "rank", 0),
        ("train", "learning_rate", -0.1),
        ("train", "learning_rate", "fast"),
        ("train", "learning_rate", float("nan")),
        ("train", "lr_scheduler", "cosin"),
        ("train", "caption_dropout", 1.5),
        ("prepare", "resolution", 100),
        ("prepare", "held_out_share", 0),
        ("evaluate", "seeds", []),
        ("base", "model", ""),
    ],
)
def test_wrong_type_or_impossible_value_is_an_error_that_names_key_and_value(block, key, value):
    with pytest.raises(ParamsError) as caught:
        parsed(block, **{key: value})
    assert f"{block}.{key}" in str(caught.value)
    assert repr(value) in str(caught.value)


def test_all_problems_are_told_at_once():
    values = demo_values()
    values["train"] |= {"rank": 0, "epochs": 3}
    values["prepare"]["resolution"] = 1
    with pytest.raises(ParamsError) as caught:
        read_params(yaml.safe_dump(values))
    assert all(key in str(caught.value) for key in ("train.rank", "train.epochs", "prepare.resolution"))


def test_warmup_longer_than_the_run_is_refused():
    with pytest.raises(ParamsError, match=r"lr_warmup_steps is 300, but steps is 300"):
        parsed("train", lr_warmup_steps=300, steps=300)


def test_prompt_without_the_trigger_word_is_refused():
    with pytest.raises(ParamsError, match=r"evaluate\.prompts: 'a red van' lacks the trigger word 'sport gentra'"):
        parsed("evaluate", prompts=["a red van"])


def test_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ParamsError, match=r"params\.yaml: no such file"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "- 1", "train: [", "<<<<<<< HEAD\ntrain: 1"])
def test_file_that_is_no_mapping_is_an_error(text):
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        read_params(text)
