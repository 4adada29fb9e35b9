import json
import re
import subprocess

import pytest

from bench.demo_docs import with_table
from gentra_lora.commands.main import parser
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_table_is_the_one_of_the_measured_metrics():
    assert with_table(README, json.loads((ROOT / "docs/demo/metrics.json").read_text(encoding="utf-8"))) == README


def table_after(comment):
    """Return {first cell: other cells} of the table that follows a comment."""
    lines = README[README.index(comment) :].splitlines()[3:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    return {row[0]: row[1:] for row in rows}


def test_table_of_recipes_is_the_one_that_was_measured():
    measured = json.loads((ROOT / "bench/recipes.json").read_text(encoding="utf-8"))
    three = {name: found for name, found in measured.items() if len(found["runs"]) == 3}
    assert {"ours", "plain loop", "uniform timesteps"} <= three.keys()
    assert table_after("compares this table with bench/recipes.json") == {
        name: [f"{found['mean']:.4f}", f"{found['lowest']:.4f} to {found['highest']:.4f}"]
        for name, found in three.items()
    }


def test_table_of_prior_preservation_is_the_one_that_was_measured():
    measured = json.loads((ROOT / "bench/prior_preservation.json").read_text(encoding="utf-8"))
    assert table_after("compares this table with bench/prior_preservation.json") == {
        name: [f"{measured[name][key]:.4f}" for key in ("drift", "subject_similarity", "prompt_match", "val_loss")]
        for name in ("none", "49, weight 1")
    }


def test_table_of_speed_is_the_one_that_was_measured():
    measured = json.loads((ROOT / "bench/train.json").read_text(encoding="utf-8"))
    bases = [measured[name] for name in ("nano", "sd15")]
    shown = table_after("compares this table with bench/train.json")
    assert shown["seconds a step"] == [f"{base['seconds_a_step']:.3f}" for base in bases]
    assert shown["of its bare forward, backward and optimizer"] == [f"{base['of_the_bare_step']:.3f}" for base in bases]
    for size in measured["nano"]["faster_than_plain_loop"]:
        ratios = [f"{base['faster_than_plain_loop'][size]:.2f}" for base in bases]
        assert shown[f"times as fast, photos of {size}"] == ratios
    assert shown["peak memory, MB"] == [str(base["peak_mb"]) for base in bases]


def test_table_of_evaluation_is_the_one_that_was_measured():
    measured = json.loads((ROOT / "bench/evaluate.json").read_text(encoding="utf-8"))
    ratios = measured["times_as_fast_as_the_plain_loop"]
    assert table_after("compares this table with bench/evaluate.json") == {
        name: [f"{ratio:.2f}"] for name, ratio in ratios.items()
    }
    assert ratios["first evaluation"] >= 1.5


def test_table_of_the_service_is_the_committed_bench():
    measured = json.loads((ROOT / "bench/serve.json").read_text(encoding="utf-8"))
    one, three = (measured["times_one_at_a_time"][name] for name in ("one scale", "three scales"))
    assert table_after("compares this table with bench/serve.json") == {
        "seconds of a picture by HTTP, of diffusers'": [
            f"{measured[f'service_of_bare_{kind}']:.2f}" for kind in ("fused", "peft")
        ],
        "pictures a second, 1 client": [f"{one['1'][kind]:.2f}" for kind in ("fused", "peft")],
        "4 clients": [f"{one['4'][kind]:.2f}" for kind in ("fused", "peft")],
        "16 clients": [f"{one['16'][kind]:.2f}" for kind in ("fused", "peft")],
        "16 clients, three strengths of the adapter": [f"{three['16'][kind]:.2f}" for kind in ("fused", "peft")],
    }


@pytest.mark.parametrize("path", re.findall(r"\]\((\w[\w./]*)\)", README))
def test_linked_file_is_in_git(path):
    listed = subprocess.run(["git", "ls-files", path], cwd=ROOT, capture_output=True, text=True).stdout
    assert listed.strip(), path


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
def test_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


TEXTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}


@pytest.mark.parametrize("line", re.findall(r"^gentra-lora (.*)$", "\n".join(TEXTS.values()), flags=re.MULTILINE))
def test_shown_command_line_is_understood(line):
    import shlex

    parser().parse_args(shlex.split(line, comments=True))


def test_params_named_in_the_text_exist():
    from gentra_lora.params import Params

    blocks = "|".join(Params.model_fields)
    for block, key in re.findall(rf"\b({blocks})\.(\w+)", README):
        if key not in ("main", "yaml", "json"):  # ends of file names
            assert key in Params.model_fields[block].annotation.model_fields, f"{block}.{key}"
