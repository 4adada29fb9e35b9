import json
import shutil

import pytest

from gentra_lora.commands.main import main
from tests.dvc_project import command


@pytest.fixture
def project(evaluated_history, monkeypatch):
    monkeypatch.chdir(evaluated_history / "reports")
    return evaluated_history


def test_verdict_names_both_revisions_what_changed_and_how_sure_it_is(project, capsys):
    main(["compare", "first", "main"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("first: first (") and lines[1].startswith("second: main (")
    assert lines[2] == "  train.rank: 8 -> 16"
    assert "is worse on held-out loss: +0.00800, 95 % CI +0.00800 to +0.00800" in lines[4]
    assert any(line.startswith("likeness: no difference that 12 pictures could show") for line in lines)
    assert any("`gentra-lora noise`" in line for line in lines)


def test_second_is_the_workspace_unless_it_is_named(project, capsys):
    main(["compare", "wide"])
    assert "workspace is better on held-out loss: -0.04800" in capsys.readouterr().out


def test_newest_are_the_last_two_experiments(project, capsys):
    main(["compare", "--newest"])
    assert "  train.rank: 32 -> 64" in capsys.readouterr().out


def test_json_is_for_programs(project, capsys):
    main(["compare", "first", "wide", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["measures"][0]["difference"] == pytest.approx(0.056)
    assert found["measures"][0]["verdict"] == "worse"
    assert found["noise_seeds"] == 0


@pytest.mark.parametrize("words", [["compare"], ["compare", "first", "--newest"]])
def test_one_way_of_naming_them_is_needed(project, words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert "give one or two revisions, or --newest" in capsys.readouterr().err


def test_revision_that_is_none_is_one_line(project):
    with pytest.raises(SystemExit, match=r"error: .* at nowhere"):
        main(["compare", "nowhere"])


def test_runs_of_other_prompts_are_refused(evaluated_history, tmp_path, monkeypatch):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    monkeypatch.chdir(folder)
    values = json.loads((folder / "made.json").read_text())
    values["setup"]["prompts"] = ["on Mars"]
    (folder / "made.json").write_text(json.dumps(values))
    command(folder, "dvc", "repro", "-q", "-f")
    with pytest.raises(
        SystemExit, match=r"main .* and workspace were not evaluated alike[\s\S]*the prompts: .*on Mars"
    ):
        main(["compare", "main", "workspace"])
