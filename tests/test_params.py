import shutil

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import dumps_yaml, loads_yaml
from hydra.core.override_parser.types import Quote, QuotedString

from gentra_lora.params import Params, ParamsError, ParamsTextError, load_params, parse_params, read_params
from tests.conftest import PROFILES, ROOT, demo_values
from tests.params_walk import WORDS, by_key, rounds

pytestmark = pytest.mark.repository


def parsed(block, **changed):
    values = demo_values()
    values[block] |= changed
    return read_params(dumps_yaml(values))


@pytest.mark.parametrize("name", PROFILES)
def test_every_shipped_profile_is_valid(name):
    assert isinstance(load_params(ROOT / f"profiles/{name}.yaml"), Params)


def set_by_dvc(folder, *overrides):
    """Return the file of the demo's params.yaml as `dvc exp run -S` changes it."""
    path = shutil.copy(ROOT / "profiles/demo.yaml", folder / "params.yaml")
    apply_overrides(path, list(overrides))
    return path


def in_hydras_words(value):
    """Return a value as one writes it after `-S KEY=`."""
    if isinstance(value, str):
        return QuotedString(text=value, quote=Quote.single).with_quotes()
    if isinstance(value, list):
        return f"[{', '.join(map(in_hydras_words, value))}]"
    return {"None": "null"}.get(repr(value), repr(value))


def test_whatever_an_experiment_sets_arrives_as_it_was_meant_for_every_key(tmp_path):
    for meant in rounds():
        path = set_by_dvc(tmp_path, *(f"{key}={in_hydras_words(value)}" for key, value in meant.items()))
        assert by_key(load_params(path)) == meant


@pytest.mark.parametrize("text", ["5e-05", "5e-5", "5E-5", "0.00005", "1e-04", ".5", "1.", "+1.", "2", "1_0.5", "1e+2"])
def test_number_of_an_experiment_arrives_as_that_float_however_it_is_written(tmp_path, text):
    assert load_params(set_by_dvc(tmp_path, f"train.max_grad_norm={text}")).train.max_grad_norm == float(text)


@pytest.mark.parametrize("text", ["no", "on", "yes", "off", "y", "007", "0o14", "1:30", "2026-11-25", "a b", "v1.0"])
def test_word_of_an_experiment_arrives_as_that_word(tmp_path, text):
    assert load_params(set_by_dvc(tmp_path, f"evaluate.class_noun={text}")).evaluate.class_noun == text


def test_precision_no_can_be_set_by_an_experiment_as_errors_advise(tmp_path):
    assert load_params(set_by_dvc(tmp_path, "base.mixed_precision=no")).base.mixed_precision == "no"


def test_unknown_key_is_named_with_the_nearest_known_one():
    with pytest.raises(ParamsError, match=r"train\.learning_rat: unknown key; did you mean train\.learning_rate\?"):
        parsed("train", learning_rat=0.1)


def test_unknown_block_is_named_with_the_nearest_known_one():
    with pytest.raises(ParamsError, match=r"trian: unknown key; did you mean train\?"):
        read_params(dumps_yaml(demo_values() | {"trian": {}}))


def test_missing_key_is_named():
    values = demo_values()
    del values["train"]["rank"]
    with pytest.raises(ParamsError, match=r"train\.rank: missing"):
        read_params(dumps_yaml(values))


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
        ("evaluate", "seeds", [1]),
        ("base", "model", ""),
        ("base", "prediction_type", "sample"),
        ("train", "lora_alpha", 70000.0),
        ("train", "lora_alpha", 1e-5),
        ("cache_latents", "flip", "yes"),
        ("evaluate", "class_noun", 7),
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
        read_params(dumps_yaml(values))
    assert all(key in str(caught.value) for key in ("train.rank", "train.epochs", "prepare.resolution"))


def test_warmup_longer_than_the_run_is_refused():
    with pytest.raises(ParamsError, match=r"lr_warmup_steps is 300, but steps is 300"):
        parsed("train", lr_warmup_steps=300, steps=300)


@pytest.mark.parametrize("key", ["evaluate.prompts", "train.sample_prompts"])
def test_prompt_without_the_trigger_word_is_refused(key):
    block, name = key.split(".")
    with pytest.raises(ParamsError, match=rf"{key}: 'a red van' lacks the trigger word 'sport gentra'; put it in"):
        parsed(block, **{name: ["a photo of a sport gentra", "a red van"]})


@pytest.mark.parametrize("prompt", ["a photo of a blue van on a road", "A photo of  a blue van on a road."])
def test_class_prompt_that_is_a_drift_prompt_is_refused_however_it_is_written(prompt):
    assert "a photo of a blue van on a road" in demo_values()["evaluate"]["drift_prompts"]
    with pytest.raises(ParamsError, match=r"cache_latents\.class_prompts: '.*' is one of evaluate\.drift_prompts"):
        parsed("cache_latents", class_prompts=[prompt])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"optimizer": "prodigy", "learning_rate": 1e-4},
            r"learning_rate is 0\.0001, a rate of AdamW, .* set .* to 1\.0",
        ),
        (
            {"optimizer": "adamw", "learning_rate": 1.0},
            r"learning_rate is 1, a factor of Prodigy, .* set .* to 0\.0001",
        ),
        ({"optimizer": "adamw8bit", "learning_rate": 0.5}, r"but optimizer is adamw8bit, .* or optimizer to prodigy"),
        ({"keep": "best", "held_out_every": 700}, r"held_out_every is 700 of 700 steps, .* or set keep to last"),
        (
            {"lr_scheduler": "cosine_with_restarts", "lr_restarts": 666},
            r"lr_restarts is 666, but only 665 steps are left .* lower lr_restarts",
        ),
    ],
    ids=str,
)
def test_pair_that_cannot_work_is_refused_with_the_way_out(values, told):
    with pytest.raises(ParamsError, match=told):
        parsed("train", **values)


def test_more_steps_than_there_are_steps_of_noise_are_refused():
    with pytest.raises(ParamsError, match=r"num_inference_steps is 10, at strength 0\.005 of a picture's 1000 steps"):
        parsed("evaluate", img2img_strengths=[0.3, 0.005])
    with pytest.raises(ParamsError, match=r"num_inference_steps is 1001, at strength 1 of"):
        parsed("evaluate", num_inference_steps=1001)
    assert parsed("evaluate", img2img_strengths=[0.01]).evaluate.num_inference_steps == 10


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "prodigy", "learning_rate": 1.0},
        {"optimizer": "prodigy", "learning_rate": 0.1},
        {"keep": "last", "held_out_every": 9999},
        {"sample_every": 9999},
        {"ema_decay": 0.9999, "steps": 40},
        {"lr_scheduler": "cosine", "lr_restarts": 999},
    ],
    ids=str,
)
def test_pair_that_works_however_odd_is_taken(values):
    assert parsed("train", **values)


def test_words_that_are_no_booleans_are_told_what_is():
    with pytest.raises(ParamsError, match=r"cache_latents\.flip: .*, not 'on'; write true or false"):
        parsed("cache_latents", flip="on")


def test_key_that_stands_twice_is_refused_by_its_line():
    text = (ROOT / "profiles/demo.yaml").read_text(encoding="utf-8")
    line = len(text.splitlines()) + 1
    with pytest.raises(ParamsError, match=rf"params\.yaml: .*line {line}: found duplicate key \"seeds\""):
        read_params(text + "  seeds: [1]\n")


def test_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ParamsError, match=r"params\.yaml: no such file"):
        load_params(tmp_path / "params.yaml")


def test_file_of_another_encoding_is_an_error_that_names_the_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("# 1\n# моя машина\n".encode("cp1251"))
    with pytest.raises(ParamsError, match=r"params\.yaml: line 2 is not UTF-8; save the file as UTF-8"):
        load_params(path)


@pytest.mark.parametrize("text", ["", "- 1", "train: [", "<<<<<<< HEAD\ntrain: 1"])
def test_file_that_is_no_mapping_is_an_error(text):
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        read_params(text)


SCALARS = ("no", "on", "1e5", "5e-05", "5E-5", ".5", "-.5", ".5e5", "1.", "+1.", "1.5e3", "007", "-0", "0o14", "014")
SCALARS += ("0b1", "1_000", "1:30", "1:30:00", "-.inf", "True", "FALSE", "Null", "", "2026-11-25T10:00:00Z", "!!str 7")
SCALARS += ("'no'", '"1e5"', "[no, 1e3, ~]", "{b: on}", "1\na: 2", "&b 1\nb: *b", "{<<: {b: 1}}", "|\n b\n", "!!float")


@pytest.mark.parametrize("text", [*SCALARS, *WORDS])
def test_what_is_read_is_what_dvc_reads(text):
    text = f"a: {text}"
    try:
        wanted = loads_yaml(text)
    except Exception:
        with pytest.raises(ParamsTextError):
            parse_params(text, "params.yaml")
    else:
        assert repr(parse_params(text, "params.yaml")) == repr(wanted)
