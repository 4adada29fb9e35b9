import hashlib
import json
import re
import shlex

import pytest

from gentra_lora.commands.main import main
from tests.dvc_project import command


def test_summary_before_the_first_run_says_what_to_do(workspace):
    with pytest.raises(SystemExit, match="nothing to show yet; run `dvc repro`"):
        main(["summary"])


def test_summary_shows_times_metrics_and_pictures(workspace, capsys):
    (workspace / "reports").mkdir()
    (workspace / "reports/report.html").touch()
    (workspace / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.03, "val_loss_base": 0.06}))
    (workspace / "reports/stage_seconds.json").write_text(json.dumps({"train": 12.5}))
    main(["summary"])
    shown = capsys.readouterr().out
    assert "train               12.5" in shown
    assert "0.0300" in shown
    assert "of another ruler" in shown
    assert "report, for any browser: reports/report.html" in shown


@pytest.fixture
def evaluated(workspace):
    """The workspace after an evaluation, committed."""
    (workspace / "reports").mkdir()
    (workspace / "reports/report.html").touch()
    (workspace / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.03}))
    (workspace / "dvc.lock").write_text("schema: '2.0'\n")
    (workspace / ".gitignore").write_text("/reports/report.html\n")
    command(workspace, "git", "init", "-q")
    command(workspace, "git", "add", "-A")
    command(workspace, "git", "commit", "-qm", "evaluated")
    return workspace


def test_summary_ends_with_how_to_keep_results_that_git_does_not_have(evaluated, capsys):
    (evaluated / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    (evaluated / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.031}))
    main(["summary"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("not committed: dvc.lock, reports/metrics.json")
    command(evaluated, *shlex.split(re.search(r"`(git commit .*?)`", last)[1]))
    main(["summary"])
    assert "not committed" not in capsys.readouterr().out


def test_summary_says_how_to_go_back_to_the_results_in_git(evaluated, capsys):
    (evaluated / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.031}))
    main(["summary"])
    command(evaluated, *shlex.split(re.search(r"`(git checkout .*?)`", capsys.readouterr().out)[1]))
    main(["summary"])
    shown = capsys.readouterr().out
    assert "0.0300" in shown and "not committed" not in shown


def test_summary_needs_no_git(workspace, capsys, monkeypatch):
    (workspace / "reports").mkdir()
    (workspace / "reports/report.html").touch()
    (workspace / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.03}))
    monkeypatch.setenv("PATH", str(workspace))
    main(["summary"])
    assert "report, for any browser" in capsys.readouterr().out.splitlines()[-1]


def test_summary_names_the_file_that_is_missing(workspace):
    (workspace / "reports").mkdir()
    (workspace / "reports/metrics.json").write_text("{}")  # which git has of somebody's run, and DVC not the report
    with pytest.raises(SystemExit, match=r"reports/report\.html: nothing to show yet"):
        main(["summary"])


def test_metrics_after_a_merge_with_conflicts_are_told_with_the_way_out(evaluated):
    (evaluated / "reports/metrics.json").write_text('<<<<<<< HEAD\n{"val_loss": 1}\n')
    with pytest.raises(SystemExit, match=r"metrics\.json: cannot be read .* conflicts; `git checkout --ours"):
        main(["summary"])


@pytest.mark.parametrize(("content", "told"), [(b"other", True), (b"these", False)])
def test_summary_says_that_the_lock_names_other_weights_than_lie_here(evaluated, capsys, content, told):
    text = b'{"val_loss": 0.03}'
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in (("weights", b"these"), ("metrics", text))}
    out = {"path": "models/sport_gentra_lora.safetensors", "md5": md5["weights"]}
    metrics = {"path": "reports/metrics.json", "md5": md5["metrics"]}
    stages = {"train": {"outs": [out]}, "evaluate": {"deps": [out], "outs": [metrics]}}
    (evaluated / "dvc.lock").write_text(json.dumps({"stages": stages}))
    (evaluated / "reports/metrics.json").write_bytes(text)
    (evaluated / "models").mkdir(exist_ok=True)
    (evaluated / "models/sport_gentra_lora.safetensors").write_bytes(content)
    main(["summary"])
    assert ("that lie here: dvc.lock names md5" in capsys.readouterr().out) == told


def test_summary_says_that_the_metrics_are_of_other_weights(evaluated, capsys):
    out = {"path": "models/sport_gentra_lora.safetensors", "md5": "a" * 32}
    stages = {"train": {"outs": [out]}}
    stages["evaluate"] = {"deps": [out | {"md5": "b" * 32}], "outs": [{"path": "reports/metrics.json", "md5": "c"}]}
    (evaluated / "dvc.lock").write_text(json.dumps({"stages": stages}))
    main(["summary"])
    told = "the metrics are not of the weights that lie here: evaluated were those of md5 bbbbbbbb, and these are of"
    assert told in capsys.readouterr().out
