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


def newest_names(folder, count):
    return [name for _, name in newest_experiments(folder, count)]


def test_newest_experiments_are_the_last_that_ran_in_their_order(evaluated_history):
    assert newest_names(evaluated_history, 2) == ["thick", "wide"]
    assert newest_names(evaluated_history, 1) == ["wide"]
    assert newest_names(evaluated_history, 3) == ["HEAD", "thick", "wide"]
    with pytest.raises(RunError, match="of 4 experiments there are 2; `dvc exp run"):
        newest_names(evaluated_history, 4)


def test_experiments_of_one_name_on_two_commits_are_two_and_the_name_alone_is_ambiguous(evaluated_history, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    command(folder, "git", "commit", "-q", "--allow-empty", "-m", "next")
    command(folder, "dvc", "exp", "run", "-q", "-S", "train.rank=5", "-n", "wide")
    older, newer = newest_experiments(folder, 2)
    assert (older[1], newer[1], older[0] == newer[0]) == ("wide", "wide", False)
    runs = [read_run(folder, *found) for found in (older, newer)]
    assert [run.params["train"]["rank"] for run in runs] == [64, 5]
    assert [run.name for run in runs] == [f"wide ({commit[:7]})" for commit, _ in (older, newer)]
    both = ", ".join(sorted((older[0][:7], newer[0][:7])))
    with pytest.raises(WeightsError, match=f"wide: experiments of that name stand on 2 commits, {both}; name one"):
        read_run(folder, "wide")


def test_evaluation_of_other_weights_is_refused(evaluated_history, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    (folder / "params.yaml").write_text("train:\n  rank: 2\n")
    command(folder, "dvc", "repro", "-q", "train")
    command(folder, "git", "commit", "-qam", "trained, not evaluated")
    for rev, name in (("HEAD", r"HEAD \(\w{7}\)"), ("workspace", "workspace")):
        with pytest.raises(RunError, match=f"{name}: its evaluation is not of its weights: evaluated were .*dvc repro"):
            read_run(folder, rev)


def test_params_of_a_run_are_those_that_were_evaluated_whatever_params_yaml_says(evaluated_history, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder, symlinks=True)
    (folder / "params.yaml").write_text("train:\n  rank: 2\n")
    command(folder, "git", "commit", "-qam", "new parameters")
    assert [read_run(folder, rev).params for rev in ("HEAD", "workspace")] == [{"train": {"rank": 16}}] * 2


def test_scores_in_the_workspace_that_the_lock_does_not_name_are_refused(evaluated_history, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(evaluated_history, folder)
    (folder / "reports/scores.jsonl").chmod(0o644)
    (folder / "reports/scores.jsonl").write_text("{}")
    with pytest.raises(RunError, match=r"workspace: .*reports/scores\.jsonl is not the file that dvc\.lock names; run"):
        read_run(folder, "workspace")
