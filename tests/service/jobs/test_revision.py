import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gentra_lora.adapter.lora import AdapterError
from gentra_lora.base.source import BaseModelError, BaseSource, base_identity
from gentra_lora.errors import InputError
from gentra_lora.photos.photo import sha256_of
from gentra_lora.revisions.weights import WeightsError
from gentra_lora.service.jobs.revision import (
    GUIDANCE_SCALE,
    RevisionError,
    check_limits,
    check_source,
    described,
    find_revision,
    same_base,
)
from tests.dvc_project import command
from tests.evaluated_project import write_reports
from tests.serving import GUIDANCE, STEPS, settings_for, write_serving_adapter


@pytest.fixture
def repo(serving_repo, tmp_path):
    """A copy with a remote of its own."""
    shutil.copytree(serving_repo.parent, tmp_path / "top", ignore=shutil.ignore_patterns("served"))
    folder = tmp_path / "top/project"
    (folder / ".dvc/config.local").write_text(f"['remote \"drive\"']\n    url = {tmp_path / 'top/remote'}\n")
    return folder


@pytest.fixture
def file(tmp_path, tiny_base):
    return write_serving_adapter(tmp_path / "a.safetensors", tiny_base)


def from_file(file, tiny_base, **more):
    return find_revision(settings_for(file.parent, weights=file, base=str(tiny_base), **more))


def changed(file, change):
    """Write a file again with other tensors, its header kept."""
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    tensors = load_file(file)
    save_file(change(tensors), file, metadata)


def test_revision_is_the_locked_file_with_its_commit_base_metrics_and_defaults(repo):
    found = find_revision(settings_for(repo))
    assert found.commit == command(repo, "git", "rev-parse", "first").strip()
    md5 = json.dumps(command(repo, "git", "show", "first:dvc.lock"))
    assert found.file["md5"] in md5
    assert (found.metrics, found.metrics_fault) == ({"val_loss": 0.01}, None)
    assert found.trigger_word == "gentra"
    assert found.defaults["num_inference_steps"] == STEPS
    assert found.defaults["guidance_scale"] == GUIDANCE
    assert (found.defaults["width"], found.defaults["height"]) == (64, 64)


def test_metrics_of_other_weights_are_not_told_as_these_ones(repo):
    (repo / "reports/metrics.json").write_text('{"val_loss": 0.5}')
    command(repo, "git", "commit", "-qam", "other figures")
    told = described(find_revision(settings_for(repo, rev="main")))
    assert told["metrics"] == {}
    assert told["metrics_fault"] == "reports/metrics.json is not the file that dvc.lock names"


def test_what_is_told_of_it_holds_no_path(repo):
    text = json.dumps(described(find_revision(settings_for(repo))))
    assert str(repo.parent) not in text


@pytest.mark.parametrize("fault", ["other bytes", "cut", "gone"])
def test_object_that_is_not_what_the_lock_says_is_refused(repo, fault):
    for path in (repo.parent / "remote/files/md5").glob("??/*"):
        if fault == "gone":
            path.unlink()
        else:
            path.write_bytes(b"x" if fault == "other bytes" else path.read_bytes()[:1000])
    with pytest.raises(WeightsError):
        find_revision(settings_for(repo))


def test_unknown_revision_is_refused(repo):
    with pytest.raises(WeightsError, match="nowhere"):
        find_revision(settings_for(repo, rev="nowhere"))


def test_each_revision_is_pulled_into_a_folder_of_its_own(repo):
    settings = settings_for(repo)
    for rev in ("first", "second", "feature/x"):
        if rev == "feature/x":
            command(repo, "git", "branch", rev)
        find_revision(settings, rev)
    assert {path.name for path in settings.weights_dir.iterdir()} >= {"first", "second", "feature_x"}


def test_file_is_served_with_the_numbers_of_the_evaluation_beside_it(tmp_path, tiny_base):
    (tmp_path / "models").mkdir()
    file = write_serving_adapter(tmp_path / "models/a.safetensors", tiny_base)
    write_reports(tmp_path, sha256_of(file))
    found = from_file(file, tiny_base)
    assert (found.commit, found.rev) == (None, None)
    assert (found.defaults["num_inference_steps"], found.defaults["guidance_scale"]) == (3, 2.5)


def test_evaluation_of_other_weights_gives_a_file_no_numbers(tmp_path, tiny_base):
    (tmp_path / "models").mkdir()
    file = write_serving_adapter(tmp_path / "models/a.safetensors", tiny_base)
    write_reports(tmp_path, "ab" * 32)
    assert from_file(file, tiny_base).defaults["guidance_scale"] == GUIDANCE_SCALE


def test_file_has_no_other_revisions(file, tiny_base):
    with pytest.raises(RevisionError, match="has no other revisions"):
        find_revision(settings_for(file.parent, weights=file, base=str(tiny_base)), "v9")


def test_size_that_every_request_would_be_refused_at_is_refused_at_the_start(file, tiny_base):
    with pytest.raises(RevisionError, match="trained at 64 x 64; raise them"):
        check_limits(from_file(file, tiny_base), SimpleNamespace(max_side=32, max_pixels=10_000))


def test_revision_cannot_leave_its_folder(repo):
    settings = settings_for(repo)
    with pytest.raises(WeightsError):
        find_revision(settings, "..")
    assert not (settings.weights_dir.parent / ".lock").exists()


def test_base_that_is_named_predicts_what_the_adapter_was_trained_on(tmp_path, tiny_base):
    identity = base_identity(BaseSource(str(tiny_base), prediction_type="v_prediction"))
    path = write_serving_adapter(tmp_path / "v.safetensors", tiny_base, **{"gentra.base": identity})
    found = from_file(path, tiny_base)
    assert found.source.prediction_type == "v_prediction"
    assert check_source(found, allow_other_base=False) == identity


def test_file_tells_the_commit_that_it_was_trained_by(tmp_path, tiny_base):
    path = write_serving_adapter(tmp_path / "b.safetensors", tiny_base, **{"gentra.git_revision": "a" * 40})
    assert described(from_file(path, tiny_base))["revision"]["trained_at"] == "a" * 40
    path = write_serving_adapter(tmp_path / "c.safetensors", tiny_base, **{"gentra.git_revision": "unknown"})
    assert from_file(path, tiny_base).trained_at is None


def test_file_without_its_params_needs_the_base_to_be_named(file):
    with pytest.raises(InputError, match="name the base that it was trained on"):
        find_revision(settings_for(file.parent, weights=file))


FAULTS = {
    "a key is missing": (lambda tensors: dict(list(tensors.items())[1:]), "lacks"),
    "a key is renamed": (
        lambda tensors: {f"x{n}" if n == 0 else k: v for n, (k, v) in enumerate(tensors.items())},
        "layout",
    ),
    "another prefix": (lambda tensors: {k.replace("lora_unet", "unet"): v for k, v in tensors.items()}, "layout"),
    "nothing in it": (lambda tensors: {}, "no key at all"),
    "zero": (lambda tensors: {k: v * ("lora_up" not in k) for k, v in tensors.items()}, "changes nothing"),
    "not finite": (lambda tensors: {k: torch.full_like(v, torch.nan) for k, v in tensors.items()}, "not finite"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_adapter_that_would_load_silently_and_do_nothing_or_harm_is_refused(file, tiny_base, name):
    change, reason = FAULTS[name]
    changed(file, change)
    with pytest.raises(AdapterError, match=reason):
        from_file(file, tiny_base)


def test_what_is_no_safetensors_is_refused_and_never_unpickled(file, tiny_base):
    torch.save({"a": torch.zeros(1)}, file)
    with pytest.raises(AdapterError, match="not a safetensors file"):
        from_file(file, tiny_base)


def test_base_that_the_adapter_was_not_trained_on_is_refused_unless_it_is_wished(tmp_path, tiny_base):
    other = write_serving_adapter(tmp_path / "b.safetensors", tiny_base, **{"gentra.base": "other@sha256:1234"})
    with pytest.raises(InputError, match="was trained on other@sha256:1234, and the base here is tiny-sd@sha256:"):
        check_source(from_file(other, tiny_base), allow_other_base=False)
    assert check_source(from_file(other, tiny_base), allow_other_base=True).startswith("tiny-sd@sha256:")


def test_folder_of_the_base_may_be_called_anything(tmp_path, file, tiny_base):
    shutil.copytree(tiny_base, tmp_path / "renamed")
    assert check_source(from_file(file, tmp_path / "renamed"), allow_other_base=False)


def test_base_that_is_not_there_is_refused(file):
    with pytest.raises(BaseModelError, match="nowhere/base"):
        check_source(from_file(file, "nowhere/base"), allow_other_base=False)


def test_file_that_names_no_base_is_refused(tmp_path, tiny_base):
    nameless = write_serving_adapter(tmp_path / "c.safetensors", tiny_base, **{"gentra.base": ""})
    with pytest.raises(InputError, match="does not say which base"):
        from_file(nameless, tiny_base)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a@sha256:1", "b@sha256:1", True),
        ("a@sha256:1", "a@sha256:2", False),
        ("o/a@1", "o/a@1", True),
        ("o/a@1", "o/b@1", False),
        ("a@sha256:1 + v@sha256:3", "a@sha256:1", False),
        ("a@sha256:1 + v@sha256:3", "b@sha256:1 + w@sha256:3", True),
    ],
)
def test_bases_are_the_same_by_their_bytes_or_by_id_and_revision(one, other, same):
    assert same_base(one, other) is same


def test_base_of_the_repository_is_found_beside_it(repo, tiny_base, monkeypatch, tmp_path):
    shutil.copytree(tiny_base, repo / "models/tiny")
    text = (repo / "dvc.lock").read_text().replace(str(tiny_base), "models/tiny")
    (repo / "dvc.lock").write_text(text)
    command(repo, "git", "commit", "-qam", "relative base")
    monkeypatch.chdir(tmp_path)
    assert find_revision(settings_for(repo, rev="main")).source.model == str(repo / "models/tiny")
