import pytest

from gentra_lora.errors import InputError
from gentra_lora.git import git
from tests.dvc_project import command


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    command(tmp_path, "git", "init", "-q", "-b", "main")
    command(tmp_path, "git", "commit", "-q", "--allow-empty", "-m", "x")
    return tmp_path


def test_answer_is_what_git_prints(repository):
    assert git("symbolic-ref", "--short", "HEAD") == "main"
    assert git("symbolic-ref", "--short", "HEAD", cwd=repository / ".git") == "main"


def test_no_answer_is_empty(repository, tmp_path_factory, monkeypatch):
    assert git("rev-parse", "--verify", "nowhere") == ""
    assert git("show", "HEAD:./nothing") == ""
    assert git("rev-parse", "HEAD", cwd=tmp_path_factory.mktemp("outside")) == ""
    monkeypatch.setenv("PATH", "")
    assert git("rev-parse", "HEAD") == ""


def test_repository_of_another_user_is_told_with_the_way_out(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(InputError, match=rf"another user.*safe.directory {repository}`"):
        git("rev-parse", "HEAD")


def test_settings_of_git_that_it_cannot_read_are_told(repository):
    (repository / ".git/config").write_text("<<<<<<< HEAD\n")
    with pytest.raises(InputError, match=r"git cannot read \.git/config \(bad config line 1 in file \.git/config\)"):
        git("rev-parse", "HEAD")
