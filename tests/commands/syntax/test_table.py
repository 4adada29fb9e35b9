import inspect
import shlex

import pytest

from gentra_lora.commands.main import parsed, work_of
from gentra_lora.commands.syntax.table import ENTRIES, HEADINGS, names_in


@pytest.mark.parametrize("path", ENTRIES)
def test_example_is_a_command_line_of_that_command(path):
    found, _ = parsed(shlex.split(ENTRIES[path].example))
    assert found == path or (not ENTRIES[path].work and found.startswith(f"{path} "))


@pytest.mark.parametrize("path", [path for path, entry in ENTRIES.items() if entry.work])
def test_work_takes_the_values_that_the_example_gives(path):
    _, values = parsed(shlex.split(ENTRIES[path].example))
    inspect.signature(work_of(path)).bind(**values)


def test_each_group_has_commands_and_a_family_stands_in_one_group():
    assert {entry.heading for entry in ENTRIES.values()} == set(HEADINGS)
    for family in ("drive", "weights"):
        assert {ENTRIES[f"{family} {name}"].heading for name in names_in(family)} == {ENTRIES[family].heading}


def test_names_are_those_of_one_family():
    assert names_in("weights") == ["list", "pull", "show"]
    assert {"drive", "weights", "doctor"} <= set(names_in("")) and "pull" not in names_in("")
