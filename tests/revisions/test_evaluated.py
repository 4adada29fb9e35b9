import shutil

import pytest

from gentra_lora.evaluation.scored_run import RunError
from gentra_lora.revisions.evaluated import newest_experiments, read_run
from gentra_lora.revisions.weights import WeightsError
from tests.dvc_project import command


def loss_of(run):
    losses = [row["loss"] for row in run.rows if "loss" in row and row["adapter"]]
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("rev", "rank"), [("first", 8), ("main", 16), ("HEAD", 16), ("wide", 64), ("thick", 32)])
def test_scores_are_those_of_the_revision_whatever_lies_in_the_working_tree(evaluated_history, rev, rank):
    run = read_run(evaluated_history, rev)
    assert run.params["train"]["rank"] == rank
    assert run.metrics["val_loss"] == rank / 1000
    assert loss_of(run) == pytest.approx(0.05 + rank / 1000, abs=0.001)
    assert run.name.startswith(f"{rev} (")


def test_workspace_is_the_files_that_lie_there(evaluated_history, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    (folder / "params.yaml").write_text("train:\n  rank: 11\n")
    command(folder, "dvc", "repro", "-q")
    run = read_run(folder, "workspace")
    assert (run.name, run.metrics["val_loss"]) == ("workspace", 0.011)


def test_what_was_never_evaluated_says_so(evaluated_history, tmp_path):
    with pytest.raises(WeightsError, match="at nowhere"):
        read_run(evaluated_history, "nowhere")
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    (folder / "reports/evaluation.json").unlink()
    with pytest.raises(RunError, match=r"workspace: has no .*evaluation\.json; run `dvc repro`"):
        read_run(folder, "workspace")
    command(folder, "git", "rm", "-q", "reports/metrics.json")
    command(folder, "git", "commit", "-qm", "no metrics")
    with pytest.raises(RunError, match=r"HEAD \(\w{7}\): has no metrics\.json"):
        read_run(folder, "HEAD")


def test_scores_that_are_neither_in_the_cache_nor_on_a_remote_say_so(evaluated_history, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    shutil.rmtree(folder / ".dvc/cache")
    with pytest.raises(RunError, match=r"first \(\w{7}\): reports/evaluation\.json .*"):
        read_run(folder, "first")


def test_newest_experiments_are_the_last_that_ran_in_their_order(evaluated_history):
    assert newest_experiments(evaluated_history, 2) == ["thick", "wide"]
    assert newest_experiments(evaluated_history, 1) == ["wide"]
    assert newest_experiments(evaluated_history, 3) == ["HEAD", "thick", "wide"]
    with pytest.raises(RunError, match="of 4 experiments there are 2; `dvc exp run"):
        newest_experiments(evaluated_history, 4)
