import ast
import json
import re
import shlex

import pytest

from gentra_lora.commands.main import parsed
from gentra_lora.commands.params_edit import with_values
from gentra_lora.params import read_params
from tests.conftest import PROFILES, ROOT

pytestmark = pytest.mark.repository

NOTEBOOK = json.loads((ROOT / "notebooks/sport_gentra_colab.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
TITLES = [source.splitlines()[0].removeprefix("# @title ") for source in CODE]


def form():
    """Return {name: value} of the notebook's form."""
    lines = re.findall(r"^(\w+) = (.+?)  # @param", "\n".join(CODE), re.MULTILINE)
    return {name: ast.literal_eval(value) for name, value in lines}


def placeholders():
    """Return {name: text} of what the form shows in grey where a field is empty."""
    return dict(re.findall(r'^(\w+) = .+?  # @param \{.*placeholder:"(.+?)"', "\n".join(CODE), re.MULTILINE))


def given(values):
    """Return what the cell of the hyperparameters makes of a form's values, the words after `gentra-lora set`."""
    (cell,) = (source for source in CODE if "Hyperparameters" in source)
    names = dict(values)
    exec(re.sub(r"^\w+ = .*# @param.*$", "", cell.partition("if given:")[0], flags=re.MULTILINE), names)
    return names["given"]


def commands():
    """Return the words of each gentra-lora command of the notebook, its form filled in."""
    names = form() | placeholders() | {"output_dir": "drive/out", "photo": "a.png", "BASE_MODEL": "a/b"}
    names |= {"revision": "--revision abc", "given": given(names)}
    shell = re.findall(r"^\s*!((?:.*\\\n)*.*)", "\n".join(CODE), re.MULTILINE)
    parts = [part.strip() for line in shell for part in re.split(r"&&|\|\|", line.replace("\\\n", " "))]
    ours = [part.removeprefix("gentra-lora ") for part in parts if part.startswith("gentra-lora ")]
    return [shlex.split(re.sub(r"\{([^{}]+)\}", lambda it: str(eval(it[1], dict(names))), line)) for line in ours]


def edits():
    """Return all values that the notebook sets, {key: text}."""
    return dict(edit for words in commands() if words[0] == "set" for edit in parsed(words)[1]["edits"])


def test_it_is_of_format_4_and_holds_no_outputs():
    assert NOTEBOOK["nbformat"] == 4
    for cell in NOTEBOOK["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_its_eleven_steps_are_there_in_their_order():
    assert [title for title in TITLES if title[0].isdigit()] == TITLES[:11]
    wanted = ["Install", "Mount", "Paths", "Base model", "photos", "Hyperparameters", "LoRA", "Train"]
    for number, (title, word) in enumerate(zip(TITLES, [*wanted, "Checkpoints", "img2img", "Keep"], strict=False), 1):
        assert title.startswith(f"{number}. ") and word in title


def test_every_command_of_ours_in_it_is_one_that_the_command_line_knows():
    found = commands()
    assert len(found) > 12
    for words in found:
        parsed(words)  # raises where one is not known


@pytest.mark.parametrize("profile", PROFILES)
def test_the_values_of_its_form_are_valid_in_every_profile(profile):
    key, _, value = form()["CHANGE"].partition("=")
    text = (ROOT / f"profiles/{profile}.yaml").read_text(encoding="utf-8")
    assert edits()["train.steps"] == "1500"
    read_params(with_values(text, edits()), source=profile)
    read_params(with_values(text, edits() | {key: value}), source=profile)


def test_an_empty_form_keeps_the_profile_and_shows_the_t4s_values():
    assert given(form()) == ""
    shipped = read_params((ROOT / "profiles/sd15_t4.yaml").read_text(encoding="utf-8")).train.model_dump()
    shown = dict(pair.removeprefix("train.").split("=") for pair in given(form() | placeholders()).split())
    assert {key: float(value) for key, value in shown.items()} == {key: shipped[key] for key in shown}
    assert given(form() | {"STEPS": "0", "SEED": " "}) == "train.steps=0"  # to be refused by `gentra-lora set`
    assert shlex.split(given(form() | {"RANK": "16 # T4", "STEPS": 'a"'}))[-1] == 'train.steps=a"'


def test_its_profiles_are_those_that_ship():
    (choices,) = re.findall(r"^PROFILE = .*# @param (\[.*\])", "\n".join(CODE), re.MULTILINE)
    assert sorted(ast.literal_eval(choices)) == sorted(PROFILES)


def test_colab_packages_are_pinned_one_by_one():
    lines = (ROOT / "tests/colab/preinstalled.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert lines and all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in lines)
