import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gentra_lora.revisions import weights
from gentra_lora.revisions.weights import WeightsError, public, pull_weights, read_record
from tests.dvc_project import command, weights_of

FILE = "sport_gentra_lora.safetensors"


def head(folder, rev="HEAD"):
    return command(folder, "git", "rev-parse", rev).strip()


@pytest.fixture(params=["clone", "bare", "file://"])
def elsewhere(request, project, tmp_path):
    """The project's address without anything of its cache: a fresh clone, a bare repository, an address."""
    target = tmp_path / request.param.strip(":/")
    command(
        tmp_path, "git", "clone", "-q", *(["--bare"] if request.param != "clone" else []), str(project), str(target)
    )
    command(project, "git", "push", "-q", str(target), "refs/exps/*:refs/exps/*")
    return f"file://{target}" if request.param == "file://" else str(target)


def object_on_remote(project, rank):
    md5 = hashlib.md5(weights_of(rank)).hexdigest()
    return project.parent / "remote/files/md5" / md5[:2] / md5[2:]


def forget_cache(project):
    shutil.rmtree(project / ".dvc/cache")


@pytest.mark.parametrize(("rev", "rank"), [("first", 8), ("main~1", 16), (None, 32), ("wide", 64)])
def test_each_revision_gives_its_exact_bytes(elsewhere, project, tmp_path, rev, rank):
    found = pull_weights(elsewhere, rev, tmp_path / "dest")
    assert (tmp_path / "dest" / FILE).read_bytes() == weights_of(rank)
    assert found.sha256 == hashlib.sha256(weights_of(rank)).hexdigest()
    assert found.size == len(weights_of(rank))
    assert (found.params["train"]["rank"], found.metrics["val_loss"]) == (rank, float(f"0.0{rank}"))
    assert found.base == {"model": "owner/base", "revision": "0123456789" * 4}
    assert json.loads((tmp_path / "dest/weights.json").read_text())["commit"] == found.commit
    assert rev == "wide" or found.commit == head(project, rev or "HEAD")


def test_short_commit_is_resolved_to_the_whole_one(project, tmp_path):
    assert pull_weights(str(project), head(project)[:7], tmp_path).commit == head(project)


def test_registered_version_and_stage_are_revisions(project, tmp_path):
    command(project, "gto", "register", "sport-gentra-lora", "first", "--version", "v1.0.0")
    command(project, "gto", "assign", "sport-gentra-lora", "--version", "v1.0.0", "--stage", "prod")
    for rev in ("sport-gentra-lora@v1.0.0", "sport-gentra-lora#prod"):
        found = pull_weights(str(project), rev, tmp_path / rev)
        assert (found.commit, found.rev) == (head(project, "first"), rev)
    with pytest.raises(WeightsError, match="sport-gentra-lora#canary"):
        pull_weights(str(project), "sport-gentra-lora#canary", tmp_path / "none")


def test_second_call_needs_no_remote_and_for_a_commit_no_repository(project, tmp_path):
    first = pull_weights(str(project), "main", tmp_path / "dest")
    forget_cache(project)
    shutil.rmtree(project.parent / "remote")
    assert pull_weights(str(project), "main", tmp_path / "dest") == first
    shutil.rmtree(project)
    again = pull_weights(str(project), first.commit, tmp_path / "dest")
    assert again == first


def test_bytes_that_were_changed_after_the_pull_are_fetched_again(project, tmp_path):
    first = pull_weights(str(project), head(project), tmp_path)
    (tmp_path / FILE).write_bytes(b"other")
    assert read_record(tmp_path / FILE) is None
    assert pull_weights(str(project), head(project), tmp_path) == first
    assert (tmp_path / FILE).read_bytes() == weights_of(32)


@pytest.mark.parametrize("fault", ["tampered", "truncated", "missing"])
def test_object_that_is_not_the_locked_one_is_refused_and_the_old_weights_stay(project, tmp_path, fault):
    old = pull_weights(str(project), "first", tmp_path / "dest")
    forget_cache(project)
    there = object_on_remote(project, 32)
    there.chmod(0o644)
    if fault == "missing":
        there.unlink()
    else:
        there.write_bytes(b"x" * len(weights_of(32)) if fault == "tampered" else weights_of(32)[:5])
    told = "is not on" if fault == "missing" else "holds other bytes"
    with pytest.raises(WeightsError, match=rf"main .*, object {there.parent.name}{there.name}: .*{told}"):
        pull_weights(str(project), "main", tmp_path / "dest")
    assert read_record(tmp_path / "dest" / FILE) == old
    assert sorted(path.name for path in (tmp_path / "dest").iterdir()) == [".lock", FILE, "weights.json"]


def test_damaged_copy_in_the_cache_is_named(project, tmp_path):
    md5 = hashlib.md5(weights_of(32)).hexdigest()
    cached = project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"junk")
    with pytest.raises(WeightsError, match=f"{cached} holds other bytes"):
        pull_weights(str(project), "main", tmp_path)


def commit_lock(project, text):
    (project / "dvc.lock").write_text(text)
    command(project, "git", "commit", "-qam", "lock")


def test_lock_without_the_file_is_told(project, tmp_path):
    commit_lock(project, "schema: '2.0'\nstages: {}\n")
    with pytest.raises(WeightsError, match=r"main \(.*its dvc.lock has no models/sport_gentra_lora.safetensors"):
        pull_weights(str(project), "main", tmp_path)


def test_lock_with_the_marks_of_a_conflict_is_told_with_the_way_out(project, tmp_path):
    commit_lock(project, "<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> other\n")
    with pytest.raises(WeightsError, match="dvc.lock cannot be read .*take one side"):
        pull_weights(str(project), "main", tmp_path)


def test_commit_without_a_lock_is_told(project, tmp_path):
    command(project, "git", "rm", "-q", "dvc.lock")
    command(project, "git", "commit", "-qm", "none")
    with pytest.raises(WeightsError, match="has no dvc.lock"):
        pull_weights(str(project), "main", tmp_path)


@pytest.mark.parametrize(("repo", "rev"), [("project", "nowhere"), ("/nowhere/at/all", None)])
def test_unknown_revision_and_repository_are_told(project, tmp_path, repo, rev):
    address = str(project) if repo == "project" else repo
    with pytest.raises(WeightsError, match=f"{address} at {rev or 'its default branch'}: "):
        pull_weights(address, rev, tmp_path)


def test_two_pulls_into_one_folder_wait_for_each_other(project, tmp_path, monkeypatch):
    original = weights._download

    def slow(*args):
        original(*args)
        time.sleep(0.5)

    monkeypatch.setattr(weights, "_download", slow)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda rev: pull_weights(str(project), rev, tmp_path), ["first", "main"]))
    assert read_record(tmp_path / FILE) in found


def test_params_are_those_that_made_the_file_whatever_the_commits_params_say(project, tmp_path):
    (project / "params.yaml").write_text((project / "params.yaml").read_text().replace("rank: 32", "rank: 64"))
    command(project, "git", "commit", "-qam", "new parameters, not yet trained")
    assert pull_weights(str(project), "main", tmp_path).params["train"] == {"rank": 32}


@pytest.mark.parametrize("text", ["{", '{"val_loss": 0.001}\n'])
def test_metrics_that_are_not_of_the_weights_are_not_recorded_and_told(project, tmp_path, text):
    (project / "reports/metrics.json").write_text(text)
    command(project, "git", "commit", "-qam", "other figures")
    found = pull_weights(str(project), "main", tmp_path)
    assert (found.metrics, found.metrics_fault) == ({}, "reports/metrics.json is not the file that dvc.lock names")
    assert json.loads((tmp_path / "weights.json").read_text())["metrics_fault"] == found.metrics_fault


def test_folder_that_cannot_be_made_is_told(project, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="free it or name another --dest"):
        pull_weights(str(project), "main", tmp_path / "file/dest")


def test_remote_can_be_named_in_place_of_the_repositorys_own(project, tmp_path):
    moved = shutil.move(project.parent / "remote", tmp_path / "moved")
    forget_cache(project)
    pull_weights(str(project), "main", tmp_path / "dest", remote=str(moved))
    assert (tmp_path / "dest" / FILE).read_bytes() == weights_of(32)


GDRIVE = "[core]\n    remote = drive\n['remote \"drive\"']\n    url = gdrive://0123456789abcdefghi\n    jobs = 4\n"
LOG_IN = "['remote \"drive\"']\n    gdrive_client_id = id\n    gdrive_client_secret = secret\n"


def test_folder_can_be_named_where_the_commit_names_a_drive_folder(project, tmp_path):
    remote = project.parent / "remote"
    (project / ".dvc/config").write_text(GDRIVE)
    (project / ".dvc/config.local").write_text(LOG_IN)
    command(project, "git", "commit", "-qam", "The Drive folder")
    forget_cache(project)
    for number, repo in enumerate([str(project), project.as_uri()]):
        found = pull_weights(repo, "main", tmp_path / f"dest{number}", remote=str(remote))
        assert (tmp_path / f"dest{number}" / FILE).read_bytes() == weights_of(32)
        assert found.commit == head(project)


def test_drive_folder_can_be_named_where_the_commit_names_a_folder(project, tmp_path):
    (project / ".dvc/config.local").write_text("['remote \"drive\"']\n    verify = true\n")
    key = {
        "type": "service_account",
        "client_email": "a@b",
        "client_id": "c",
        "private_key": "d",
        "private_key_id": "e",
    }
    (tmp_path / "robot.json").write_text(json.dumps(key))
    with weights.opened(str(project), "main", "gdrive://0123456789abcdefghi", str(tmp_path / "robot.json")) as repo:
        config = repo.config["remote"][repo.config["core"]["remote"]]
    assert config == {
        "url": "gdrive://0123456789abcdefghi",
        "gdrive_use_service_account": True,
        "gdrive_service_account_json_file_path": str(tmp_path / "robot.json"),
    }


@pytest.mark.parametrize("repo", ["path", "address"])
def test_without_any_remote_the_way_out_is_to_name_one(project, tmp_path, repo):
    (project / ".dvc/config").write_text("")
    (project / ".dvc/config.local").unlink()
    command(project, "git", "commit", "-qam", "no remote")
    forget_cache(project)
    with pytest.raises(WeightsError, match=r"no remote is set up, .*`gentra-lora weights pull --remote FOLDER`"):
        pull_weights(str(project) if repo == "path" else project.as_uri(), "main", tmp_path / "dest")


@pytest.fixture
def in_a_folder(project, tmp_path):
    """The project in a folder of a larger repository, of one commit."""
    top = tmp_path / "garage"
    shutil.copytree(project, top / "cars/gentra", symlinks=True, ignore=shutil.ignore_patterns(".git", "cache"))
    command(top, "git", "init", "-q", "-b", "main")
    command(top, "git", "add", "-A")
    command(top, "git", "commit", "-qm", "one of many")
    command(tmp_path, "git", "clone", "-q", "--bare", str(top), "bare.git")
    return top


@pytest.mark.parametrize("kind", ["project", "folder of it", "current folder", "bare", "file://"])
def test_project_in_a_folder_of_its_repository_is_found(in_a_folder, tmp_path, monkeypatch, kind):
    folder = in_a_folder / "cars/gentra"
    monkeypatch.chdir(folder)
    repo = {
        "project": str(folder),
        "folder of it": str(folder / "reports"),
        "current folder": ".",
        "bare": str(tmp_path / "bare.git"),
        "file://": in_a_folder.as_uri(),
    }[kind]
    found = pull_weights(repo, "main", tmp_path / "dest")
    assert (tmp_path / "dest" / FILE).read_bytes() == weights_of(32)
    assert (found.commit, found.metrics["val_loss"]) == (head(in_a_folder), 0.032)


def test_token_in_an_address_is_not_printed(tmp_path):
    with pytest.raises(WeightsError) as told:
        pull_weights("https://user:secret@127.0.0.1:9/a/b.git", "main", tmp_path)
    assert "secret" not in str(told.value)
    assert "https://127.0.0.1:9/a/b.git at main" in str(told.value)


def test_record_does_not_hold_the_addresss_token():
    assert public("https://user:token@host.com/a/b.git") == "https://host.com/a/b.git"
    assert public("git@host.com:a/b.git") == "git@host.com:a/b.git"


PULL = """
import sys, time
from pathlib import Path
from gentra_lora.revisions import weights
def slow(repo, lock, partial, label):
    partial.write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
weights._download = slow
weights.pull_weights(sys.argv[1], "main", Path(sys.argv[2]))
"""


def test_kill_during_the_pull_leaves_the_old_file(project, tmp_path):
    old = pull_weights(str(project), "first", tmp_path / "dest")
    words = [sys.executable, "-c", PULL, str(project), str(tmp_path / "dest")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ) as running:
        assert running.stdout.readline() == "begun\n"
        time.sleep(0.1)
        running.send_signal(signal.SIGKILL)
    assert read_record(tmp_path / "dest" / FILE) == old
    pull_weights(str(project), "main", tmp_path / "dest")
    assert (tmp_path / "dest" / FILE).read_bytes() == weights_of(32)
    assert sorted(path.name for path in (tmp_path / "dest").iterdir()) == [".lock", FILE, "weights.json"]
