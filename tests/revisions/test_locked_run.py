import hashlib
import json

import pytest
import yaml

from gentra_lora.evaluation.scored_run import METRICS
from gentra_lora.revisions.locked_run import WEIGHTS, metrics_fault, params_in, weights_in

TEXT = '{"val_loss": 0.05}\n'


def entry(path, md5):
    return {"path": path, "hash": "md5", "md5": md5}


def lock_of(trained="a" * 32, evaluated="a" * 32, latents="1", metrics=TEXT, rank=16):
    """Return the text of a dvc.lock whose evaluation was of the weights `evaluated`."""
    stages = {
        "cache_latents": {
            "cmd": "x",
            "params": {"params.yaml": {"cache_latents": {"flip": False}, "prepare.resolution": 128}},
            "outs": [entry("data/latents", latents)],
        },
        "train": {
            "cmd": "x",
            "deps": [entry("data/latents", "1")],
            "params": {"params.yaml": {"base": {"model": "nano"}, "train": {"rank": rank, "learning_rate": 5e-05}}},
            "outs": [entry(WEIGHTS, trained)],
        },
        "evaluate": {
            "cmd": "x",
            "deps": [entry(WEIGHTS, evaluated)],
            "params": {"params.yaml": {"evaluate": {"seeds": [1]}, "prepare.trigger_word": "gentra"}},
            "outs": [entry(METRICS, hashlib.md5(metrics.encode()).hexdigest())],
        },
    }
    return yaml.safe_dump({"schema": "2.0", "stages": stages}).replace("5.0e-05", "5e-05")  # as DVC writes it


def header(**train):
    return {"gentra.train_params": json.dumps({"rank": 16, "learning_rate": 5e-05} | train)}


def test_figures_of_the_very_weights_are_theirs():
    assert metrics_fault(lock_of(), {METRICS: TEXT}, header()) is None


@pytest.mark.parametrize(
    ("lock", "texts", "of_file", "fault"),
    [
        (lock_of(evaluated="b" * 32), {}, None, "evaluated were those of md5 bbbbbbbb, and these are of md5 aaaaaaaa"),
        (lock_of(), {METRICS: "{}"}, None, "reports/metrics.json is not the file that dvc.lock names"),
        (lock_of(), {"reports/other": ""}, None, "reports/other is not the file that dvc.lock names"),
        (lock_of(rank=8), {}, header(), "their file says train.rank = 16, dvc.lock 8"),
        (lock_of().replace(METRICS, "x"), {}, None, "dvc.lock knows of no evaluation"),
        (
            lock_of().replace(f"path: {WEIGHTS}", "path: x", 1),
            {},
            None,
            "evaluated were none, and these are of md5 aaaaaaaa",
        ),
    ],
)
def test_figures_of_others_are_told_with_what_does_not_fit(lock, texts, of_file, fault):
    assert metrics_fault(lock, texts, of_file).startswith(fault)


def test_weights_and_figures_of_one_stage_belong_together():
    outs = [entry(WEIGHTS, "a"), entry(METRICS, hashlib.md5(TEXT.encode()).hexdigest())]
    lock = yaml.safe_dump({"stages": {"train": {"cmd": "x", "outs": outs}}})
    assert metrics_fault(lock, {METRICS: TEXT}) is None


def test_params_are_those_of_the_stages_that_made_weights_and_figures():
    assert params_in(lock_of()) == {
        "base": {"model": "nano"},
        "cache_latents": {"flip": False},
        "prepare": {"resolution": 128, "trigger_word": "gentra"},
        "train": {"rank": 16, "learning_rate": 5e-05},
        "evaluate": {"seeds": [1]},
    }


def test_params_of_stages_that_ran_on_something_else_are_left_out():
    assert "evaluate" not in params_in(lock_of(evaluated="b" * 32))
    assert "cache_latents" not in params_in(lock_of(latents="2"))


def test_what_the_file_says_of_its_training_comes_before_the_lock():
    assert params_in(lock_of(rank=8), header(seed=3))["train"] == {"rank": 16, "learning_rate": 5e-05, "seed": 3}


def test_lock_without_weights_has_none():
    assert weights_in("stages: {}") is None
    assert weights_in(lock_of()) == entry(WEIGHTS, "a" * 32)
