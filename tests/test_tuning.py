"""docs/tuning.md tells what bench/variants.json holds."""

import json
import re

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.repository

GUIDE = (ROOT / "docs/tuning.md").read_text(encoding="utf-8")
MEASURED = json.loads((ROOT / "bench/variants.json").read_text(encoding="utf-8"))


def test_each_output_in_the_guide_is_the_one_that_was_measured():
    shown = dict(re.findall(r"<!-- bench/variants\.json: (.+?) -->\n```text\n(.*?)\n```", GUIDE, re.DOTALL))
    assert shown == {name: "\n".join(lines) for name, lines in MEASURED["texts"].items()}


def test_settings_in_the_guide_are_those_of_the_runs():
    assert all(f"`{key}={value}`" in GUIDE for key, value in MEASURED["settings"].items())


def test_twins_are_told_apart_in_at_most_one_of_ten_pairs_and_a_tenth_of_the_steps_is_worse():
    twins = MEASURED["twins"]
    assert twins["pairs"] >= 20 and twins["no_difference"] >= 0.9 * twins["pairs"]
    assert f"{twins['no_difference']} of {twins['pairs']} pairs" in GUIDE
    loss = MEASURED["tenth"]["measures"][0]
    assert loss["key"] == "val_loss" and loss["verdict"] == "worse" and loss["low"] > 0


def test_each_planted_fault_moved_its_metric_in_its_direction():
    rows = re.findall(r"^\| (.+?) \| `(.+?)` \| (\S+) \| (\S+) \|$", GUIDE, re.MULTILINE)
    assert {f"{fault}: {key}": [float(without), float(planted)] for fault, key, without, planted in rows} == {
        name: values[:2] for name, values in MEASURED["planted"].items()
    }
    assert all(moved for _, _, moved in MEASURED["planted"].values())
