import json

import pytest

from gentra_lora.evaluation.scored_run import COMPARED, RunError, differing, parsed_run, told_differences
from tests.scored import SETUP


def test_run_is_read_from_its_texts():
    run = parsed_run("main", json.dumps(SETUP), '{"loss": 1}\n{"loss": 2}\n', '{"val_loss": 1.5}', {})
    assert [row["loss"] for row in run.rows] == [1, 2]
    assert run.metrics["val_loss"] == 1.5


def test_broken_text_names_the_revision():
    with pytest.raises(RunError, match="main: its evaluation cannot be read"):
        parsed_run("main", "{}", '{"loss": ', "{}", {})


@pytest.mark.parametrize("key", COMPARED)
def test_each_part_of_the_set_up_is_looked_at(key):
    assert differing(SETUP, SETUP | {key: "another"}) == [key]


def test_weights_and_hardware_may_differ():
    other = SETUP | {"weights_sha256": "2", "device": "T4", "versions": {"torch": "2.14", "peft": "1"}}
    assert differing(SETUP, other) == []
    assert told_differences(SETUP, other) == ["hardware: cpu and T4", "torch: 2.13 and 2.14", "peft: None and 1"]
