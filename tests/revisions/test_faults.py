import shutil

import pytest

from gentra_lora.commands.main import main

CONFLICT = "<<<<<<< HEAD\n[core]\n    remote = a\n=======\n[core]\n    remote = b\n>>>>>>> other\n"
COMMANDS = [["weights", "list"], ["weights", "pull", "--dest", "new"], ["drive", "check"]]


def told(words):
    """Return the one line that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert str(ended.value).startswith("error: ") and "\n" not in str(ended.value)
    return str(ended.value)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_folder_outside_of_a_project_is_told(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert f"{tmp_path}: is no clone of this project; run the command in one" in told(words)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_download_without_git_is_told(project, words):
    shutil.rmtree(project / ".git")
    assert "is no git repository, as a download as ZIP is none; clone the project instead" in told(words)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_marks_of_a_conflict_in_dvcs_settings_are_told(project, words):
    (project / ".dvc/config").write_text(CONFLICT)
    assert "cannot be read" in (line := told(words))
    assert "`git checkout --ours .dvc/config` or `--theirs`" in line


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_settings_of_git_that_cannot_be_read_are_told(project, words):
    (project / ".git/config").write_text(CONFLICT)
    assert "git cannot read .git/config (bad config line 1" in told(words)


def test_key_in_the_repository_of_another_user_is_refused(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "belongs to another user" in told(["drive", "login", "--client", str(client(tmp_path)), "--out", "key.json"])


def client(folder):
    """Write the file of an OAuth client; return its path."""
    path = folder / "client.json"
    path.write_text('{"installed": {"client_id": "a", "client_secret": "b"}}')
    return path


def test_error_that_is_neither_dvcs_nor_gits_goes_on_as_it_is(project, monkeypatch):
    def broken(repo):
        raise ZeroDivisionError

    monkeypatch.setattr("gentra_lora.commands.drive.open_folder", broken)
    with pytest.raises(ZeroDivisionError):
        main(["drive", "check"])
