import json
import os
import subprocess

import pytest

from gentra_lora.adapter.provenance import (
    adapter_metadata,
    dataset_md5,
    git_state,
    photos_digest,
    trained_from,
    versions,
    with_result,
)
from gentra_lora.errors import InputError
from tests.conftest import ROOT

pytestmark = pytest.mark.repository

TRAIN = {"rank": 8, "lora_alpha": 4.0, "lora_dropout": 0.0, "steps": 300, "learning_rate": 0.0001, "seed": 7}
TRAIN |= {"lr_scheduler": "cosine", "optimizer": "adamw"}


@pytest.fixture(autouse=True)
def no_repository(tmp_path, monkeypatch):
    """Keep dvc.yaml, dvc.lock and the commits of this repository out of the headers."""
    monkeypatch.chdir(tmp_path)


def metadata(**changed):
    values = {
        "train_params": TRAIN,
        "base": "nano@1",
        "trigger_word": "sport gentra",
        "resolution": 768,
        "prediction_type": "epsilon",
        "cross_attention_dim": 768,
        "photos": ["b", "a"],
        "captions": ["a sport gentra, front view", "a sport gentra in the snow"],
        "sizes": [(768, 768)] * 2,
        "author": None,
        "raw_dir": "data/raw",
        "versions": versions(),
    }
    return adapter_metadata(**(values | changed))


def test_header_holds_only_strings_as_safetensors_demands():
    assert all(isinstance(value, str) for value in metadata().values())


def test_header_names_rank_alpha_and_trigger_where_user_interfaces_look():
    header = metadata()
    assert (header["ss_network_dim"], header["ss_network_alpha"]) == ("8", "4")
    assert header["modelspec.trigger_phrase"] == "sport gentra"
    assert json.loads(header["ss_tag_frequency"])["images"]["sport gentra"] == 2
    assert header["ss_output_name"] == "sport_gentra"
    assert "lora_adapter_metadata" not in header


def test_header_is_the_same_for_the_same_run():
    assert metadata() == metadata()


def test_photos_digest_does_not_depend_on_their_order():
    assert photos_digest(["a", "b"]) == photos_digest(["b", "a"])
    assert photos_digest(["a", "b"]) != photos_digest(["a", "c"])


def test_versions_name_what_can_change_a_result():
    core = {"torch", "diffusers", "transformers", "peft", "accelerate"}
    assert versions().keys() == core
    assert versions("torch") == versions()
    assert versions("prodigyopt").keys() == core | {"prodigyopt"}


def test_header_names_what_was_trained_how():
    header = metadata()
    assert (header["ss_optimizer"], header["ss_learning_rate"], header["ss_seed"]) == ("adamw", "0.0001", "7")
    assert json.loads(header["gentra.train_params"]) == TRAIN
    assert json.loads(header["gentra.versions"]) == versions()


def test_result_names_steps_and_held_out_loss_beside_the_bases():
    header = with_result(metadata(), 300, 0.05, 0.08)
    assert (header["ss_steps"], header["gentra.steps"]) == ("300", "300")
    assert (header["gentra.held_out_loss"], header["gentra.held_out_loss_base"]) == ("0.050000", "0.080000")
    assert with_result(metadata(), 1, None, 0.08)["gentra.held_out_loss"] == "unknown"


def git(*words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / "params.yaml").write_text("rank: 8")
    (tmp_path / "README.md").write_text("old")
    git("add", "-A")
    git("commit", "-qm", "x")
    return tmp_path


def test_revision_is_the_last_commit_that_can_change_the_adapter(repository):
    def state():
        return git_state(["params.yaml", "data/raw"])

    revision = git("rev-parse", "HEAD")
    assert state() == (revision, "no")
    (repository / "README.md").write_text("new")
    assert state() == (revision, "no")
    git("commit", "-qam", "text")
    assert state() == (revision, "no")
    (repository / "params.yaml").write_text("rank: 16")
    assert state() == (revision, "yes")
    git("commit", "-qam", "rank")
    assert state() == (git("rev-parse", "HEAD"), "no") != (revision, "no")


@pytest.fixture
def shallow(repository, tmp_path_factory, monkeypatch):
    """A clone of the last commit alone, which is one of a text."""
    (repository / "README.md").write_text("new")
    git("commit", "-qam", "text")
    folder = tmp_path_factory.mktemp("shallow") / "clone"
    git("clone", "-q", "--depth", "1", repository.as_uri(), str(folder))
    monkeypatch.chdir(folder)
    return folder


def test_shallow_clone_gives_the_revision_of_a_full_one_or_none(repository, shallow):
    with pytest.raises(InputError, match=r"shallow: this clone is shallow .* run `git fetch --unshallow`"):
        git_state(["params.yaml"])
    git("fetch", "-q", "--unshallow")
    assert git_state(["params.yaml"]) == (git("rev-parse", "HEAD~1"), "no")


def test_shallow_clone_that_holds_the_commit_is_accepted(shallow):
    (shallow / "params.yaml").write_text("rank: 16")
    git("commit", "-qam", "rank")
    assert git_state(["params.yaml"]) == (git("rev-parse", "HEAD"), "no")


def test_base_and_photos_outside_of_the_repository_leave_the_revision_known(repository, monkeypatch):
    assert git_state(["params.yaml", "/models/sd15", "../photos"]) == (git("rev-parse", "HEAD"), "no")
    (repository / "sub").mkdir()
    monkeypatch.chdir(repository / "sub")
    assert git_state(["../params.yaml"]) == (git("rev-parse", "HEAD"), "no")


def test_repository_of_another_user_is_not_taken_for_none(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(InputError, match="safe.directory"):
        git_state(["params.yaml"])


def test_repository_without_a_commit_has_no_revision(tmp_path):
    git("init", "-q")
    assert git_state(["params.yaml"]) == ("unknown", "unknown")


def test_adapter_depends_on_what_the_stages_up_to_train_read():
    paths = trained_from("data/demo", ROOT / "dvc.yaml")
    assert {"params.yaml", "data/demo", "data/demo.dvc", "models/nano-sd", "src/gentra_lora/training"} <= set(paths)
    assert not {"src/gentra_lora/commands", "src/gentra_lora/stages/evaluate.py", "${prepare.raw_dir}"} & set(paths)


def test_header_describes_the_adapter_in_a_sentence_and_names_an_author_where_one_is_given():
    assert metadata()["modelspec.description"] == (
        'A LoRA of rank 8 of one subject, trained on 2 photos; write "sport gentra" in the prompt.'
    )
    assert "modelspec.author" not in metadata()
    assert metadata(author="Ира")["modelspec.author"] == "Ира"


def test_date_is_the_commits_not_the_clocks(repository):
    at = "2024-05-06T07:08:09+05:00"
    (repository / "params.yaml").write_text("rank: 4")
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "rank"],
        check=True,
        env=os.environ | {"GIT_COMMITTER_DATE": at},
    )
    assert metadata()["modelspec.date"] == at
    (repository / "params.yaml").write_text("rank: 2")
    assert "modelspec.date" not in metadata()


def test_header_outside_of_git_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(["params.yaml"]) == ("unknown", "unknown")
    header = metadata()
    assert header["gentra.git_revision"] == "unknown"
    assert "modelspec.date" not in header


def test_dataset_is_named_by_the_md5_that_dvc_lock_has_for_it(tmp_path):
    assert dataset_md5("data/raw", tmp_path / "dvc.lock") == "unknown"
    lock = "stages:\n  prepare:\n    deps:\n    - {path: src, md5: a1}\n    - {path: data/raw, md5: b2.dir}\n"
    (tmp_path / "dvc.lock").write_text(lock)
    assert dataset_md5("data/raw", tmp_path / "dvc.lock") == "b2.dir"
    assert dataset_md5("data/other", tmp_path / "dvc.lock") == "unknown"
