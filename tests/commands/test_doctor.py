import json
import os
import sys
from pathlib import Path

import pytest

from gentra_lora.commands.main import main
from tests.conftest import ROOT
from tests.dvc_project import command


def run(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    return ended.value.code, capsys.readouterr().out


@pytest.fixture
def whole(project, monkeypatch):
    """The project with this repository's params.yaml and nano base."""
    (project / "params.yaml").write_bytes((ROOT / "profiles/demo.yaml").read_bytes())
    (project / "models/nano-sd").symlink_to(ROOT / "models/nano-sd")
    for key in ("name", "email"):
        command(project, "git", "config", f"user.{key}", "a")
    command(project, "git", "add", "-A")
    command(project, "git", "commit", "-qm", "whole")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return project


def test_base_that_neither_git_nor_dvc_keeps_is_a_fault(whole, capsys):
    command(whole, "git", "rm", "-q", "--cached", "models/nano-sd")
    code, shown = run(capsys)
    assert code == 1
    assert "FAIL photos, base" in shown and "models/nano-sd: 1 file in neither git nor DVC" in shown


def test_sound_project_gives_a_line_each_and_0(whole, capsys):
    code, shown = run(capsys)
    assert code == 0, shown
    names = [line[5:].split("  ")[0] for line in shown.splitlines()]
    assert names == [
        "versions", "code", "python", "git", "experiments", "queue", "disk", "dvc.lock", "dvc files", "params.yaml",
        "device", "optimizer", "base model", "photos, base", "drive",
    ]  # fmt: skip


def test_what_will_fail_gives_1_and_the_way_out(whole, capsys):
    (whole / "params.yaml").write_text((whole / "params.yaml").read_text().replace("rank: 32", "rank: abc"))
    code, shown = run(capsys)
    assert code == 1
    assert "FAIL params.yaml" in shown
    assert "train.rank: Input should be a valid integer, not 'abc'" in shown


def test_params_of_another_encoding_are_told_as_a_fault(whole, capsys):
    (whole / "params.yaml").write_bytes("# моя машина\n".encode("cp1251"))
    code, shown = run(capsys)
    assert code == 1
    assert "FAIL params.yaml  params.yaml: line 1 is not UTF-8" in shown


def test_json_holds_the_same(whole, capsys):
    code, shown = run(capsys, "--json")
    assert code == 0
    assert {finding["name"]: finding["ok"] for finding in json.loads(shown)}["drive"] is True


def test_repair_says_what_it_did(whole, capsys):
    command(whole, "git", "checkout", "-q", "-f", "params.yaml")
    (whole / ".dvc/tmp/rwlock").write_text("")
    _, shown = run(capsys, "--repair")
    assert "removed .dvc/tmp/rwlock, which could not be read" in shown
    _, shown = run(capsys, "--repair")
    assert "nothing to repair: no experiment was killed here" in shown
