import hashlib

from dvc.repo import Repo

from gentra_lora.drive.folder import open_folder
from gentra_lora.revisions.trained import table, trained_revisions
from tests.dvc_project import command, weights_of


def found(project):
    with Repo(str(project)) as repo:
        return trained_revisions(repo, open_folder(repo))


def test_branches_tags_experiments_and_commits_with_new_weights_are_there_once_each(project):
    rows = {row.md5: row for row in found(project)}
    assert rows.keys() == {hashlib.md5(weights_of(rank)).hexdigest() for rank in (8, 16, 32, 64)}
    assert rows[hashlib.md5(weights_of(8)).hexdigest()].names == ["first"]
    assert rows[hashlib.md5(weights_of(16)).hexdigest()].names == []
    assert rows[hashlib.md5(weights_of(64)).hexdigest()].names == ["wide"]
    assert rows[hashlib.md5(weights_of(64)).hexdigest()].metrics["val_loss"] == 0.064


def test_weights_that_are_not_on_the_remote_are_told(project):
    md5 = hashlib.md5(weights_of(8)).hexdigest()
    (project.parent / "remote/files/md5" / md5[:2] / md5[2:]).unlink()
    assert {row.on_remote for row in found(project) if row.md5 == md5} == {False}
    assert {row.on_remote for row in found(project) if row.md5 != md5} == {True}


def test_without_a_remote_it_is_told_whether_the_cache_has_the_weights(project):
    md5 = hashlib.md5(weights_of(8)).hexdigest()
    (project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    with Repo(str(project)) as repo:
        rows = trained_revisions(repo, None)
    assert {(row.md5 == md5, row.in_cache, row.on_remote) for row in rows} == {(True, False, None), (False, True, None)}
    assert sorted({line.split("  ")[-1].strip() for line in table(rows)[1:]}) == [
        "no remote",
        "no remote, and not in DVC's cache",
    ]


def test_commit_without_weights_is_left_out(project):
    command(project, "git", "rm", "-q", "dvc.lock")
    command(project, "git", "commit", "-qm", "none")
    assert all("main" not in row.names for row in found(project))


def test_table_has_a_line_a_revision(project):
    lines = table(found(project))
    assert lines[0].split()[:3] == ["commit", "names", "weights"]
    assert any("first" in line and "0.0800" in line and line.endswith("yes") for line in lines)


def test_metrics_of_other_weights_are_not_shown_and_told_as_such(project):
    (project / "reports/metrics.json").write_text('{"val_loss": 0.001}\n')
    command(project, "git", "commit", "-qam", "other figures")
    (row,) = [row for row in found(project) if "main" in row.names]
    assert (row.metrics, row.metrics_fault) == ({}, "reports/metrics.json is not the file that dvc.lock names")
    (line,) = [line for line in table([row]) if "main" in line]
    assert "not of these weights" in line and "0.001" not in line
