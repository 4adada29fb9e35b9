import json
import re
import subprocess

import pytest
from conftest import ROOT

from gentra_lora.cli import parser
from gentra_lora.report import metrics_table

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_table_is_the_one_of_the_measured_metrics():
    measured = metrics_table(json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8")))[1:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if "| " in line]
    shown = {row[0]: row[1:] for row in rows}
    for line in measured:
        name, *values = re.split(r"\s{2,}", line.strip())
        assert shown[name] == values, name


@pytest.mark.parametrize("path", re.findall(r"\]\((\w[\w./]*)\)", README))
def test_linked_file_is_in_git(path):
    listed = subprocess.run(["git", "ls-files", path], cwd=ROOT, capture_output=True, text=True).stdout
    assert listed.strip(), path


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
def test_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("line", re.findall(r"^gentra-lora (.*)$", README, flags=re.MULTILINE))
def test_shown_command_line_is_understood(line):
    import shlex

    parser().parse_args(shlex.split(line))


def test_params_named_in_the_text_exist():
    from gentra_lora.params import Params

    blocks = "|".join(Params.model_fields)
    for block, key in re.findall(rf"\b({blocks})\.(\w+)", README):
        if key not in ("main", "yaml"):
            assert key in Params.model_fields[block].annotation.model_fields, f"{block}.{key}"
