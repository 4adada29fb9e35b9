import json
import re

import pytest

from bench.demo_docs import with_table
from gentra_lora.commands.main import parsed
from tests.conftest import ROOT

pytestmark = pytest.mark.repository
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_one_page():
    assert len(README.splitlines()) <= 150


def test_table_is_the_one_of_the_measured_metrics():
    assert with_table(README, json.loads((ROOT / "docs/demo/metrics.json").read_text(encoding="utf-8"))) == README


def test_it_shows_the_grid_of_the_same_run():
    assert README.count("](docs/demo/grid.png)") == 1


TEXTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}

LINES = "\n".join(TEXTS.values()).replace("\\\n", " ")


@pytest.mark.parametrize("line", re.findall(r"^gentra-lora (.*)$", LINES, flags=re.MULTILINE))
def test_shown_command_line_is_understood(line):
    import shlex

    parsed(shlex.split(line, comments=True))
