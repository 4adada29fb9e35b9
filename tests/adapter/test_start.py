import hashlib
import shutil
from dataclasses import replace

import pytest
import torch

from gentra_lora.adapter.file import kohya_tensors, write_adapter
from gentra_lora.adapter.lora import AdapterError, LoraModule
from gentra_lora.adapter.start import check_start, read_start, start_modules
from tests.dvc_project import command

WEIGHTS = "models/sport_gentra_lora.safetensors"
HEADER = {"gentra.base": "nano@1", "gentra.train_params": '{"target_modules": "attention"}', "gentra.steps": "300"}
SHAPE = {"base": "nano@1", "rank": 2, "lora_alpha": 4.0, "target_modules": "attention"}
DVC_YAML = f"""\
stages:
  train:
    cmd: mkdir -p models && cp made.safetensors {WEIGHTS}
    deps: [made.safetensors]
    outs: [{WEIGHTS}]
"""


def modules(rank=2, names=("mid_block.attn.to_q", "mid_block.attn.to_k")):
    torch.manual_seed(1)
    return {name: LoraModule(torch.rand(rank, 3), torch.rand(5, rank)) for name in names}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The current folder, with a trained file; its name and its hash."""
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / WEIGHTS
    write_adapter(weights, kohya_tensors(modules(), 4.0), HEADER)
    return weights, hashlib.sha256(weights.read_bytes()).hexdigest()


def started(value, tmp_path):
    return read_start(value, tmp_path / WEIGHTS, tmp_path / "kept")


def test_file_with_its_hash_is_read(project, tmp_path):
    weights, digest = project
    other = shutil.copy(weights, tmp_path / "a@b.safetensors")
    start = started(f"{other}@{digest}", tmp_path)
    assert (start.sha256, start.header["gentra.steps"]) == (digest, "300")
    assert not (tmp_path / "kept").exists()


def test_file_without_a_hash_is_refused_with_the_value_to_write(project, tmp_path):
    weights, digest = project
    with pytest.raises(AdapterError, match=rf"start_from: {WEIGHTS} says no hash; write {WEIGHTS}@{digest}"):
        started(WEIGHTS, tmp_path)


def test_file_that_has_changed_is_refused_with_the_value_to_write(project, tmp_path):
    _, digest = project
    with pytest.raises(AdapterError, match=rf"is another file by now; if that is the one, write {WEIGHTS}@{digest}"):
        started(f"{WEIGHTS}@{'0' * 64}", tmp_path)


def test_file_that_is_not_there_is_refused(project, tmp_path):
    with pytest.raises(AdapterError, match=r"none\.safetensors: no such file"):
        started(f"none.safetensors@{'0' * 64}", tmp_path)


def test_file_that_the_training_itself_replaces_is_kept(project, tmp_path):
    weights, digest = project
    value = f"{WEIGHTS}@{digest}"
    started(value, tmp_path)
    weights.write_bytes(b"of the next training")
    assert started(value, tmp_path).sha256 == digest
    weights.unlink()
    assert started(value, tmp_path).sha256 == digest


def test_name_that_is_neither_file_nor_commit_is_refused(project, tmp_path):
    with pytest.raises(AdapterError, match="start_from: nothing is neither a file nor a commit here"):
        started("nothing", tmp_path)


@pytest.mark.xdist_group("processes")
def test_weights_of_a_commit_are_read_from_dvcs_cache_and_a_name_that_moves_is_refused(project, tmp_path):
    weights, digest = project
    shutil.move(weights, tmp_path / "made.safetensors")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    command(tmp_path, "git", "init", "-q")
    command(tmp_path, "git", "commit", "-qm", "nothing", "--allow-empty")
    before = command(tmp_path, "git", "rev-parse", "HEAD").strip()
    command(tmp_path, "dvc", "init", "-q")
    command(tmp_path, "dvc", "repro", "-q")
    command(tmp_path, "git", "add", "-A")
    command(tmp_path, "git", "commit", "-qm", "trained")
    commit = command(tmp_path, "git", "rev-parse", "HEAD").strip()
    weights.unlink()
    for name in ("HEAD", commit[:10]):
        with pytest.raises(AdapterError, match=rf"start_from: {name} names another .*; write {commit}"):
            read_start(name, weights.relative_to(tmp_path), tmp_path / "kept")
    with pytest.raises(AdapterError, match=r"has no models/sport_gentra_lora\.safetensors in its dvc\.lock"):
        read_start(before, weights.relative_to(tmp_path), tmp_path / "kept")
    assert read_start(commit, weights.relative_to(tmp_path), tmp_path / "kept").sha256 == digest
    shutil.rmtree(tmp_path / ".dvc/cache")
    assert read_start(commit, weights.relative_to(tmp_path), tmp_path / "kept").sha256 == digest
    with pytest.raises(AdapterError, match=rf"no weights here .*`gentra-lora weights pull --rev {commit}"):
        read_start(commit, weights.relative_to(tmp_path), tmp_path / "empty")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rank": 8}, r"has rank 2, train\.rank is 8; set it to 2"),
        ({"lora_alpha": 2.0}, r"has lora_alpha 4\.0, train\.lora_alpha is 2\.0; set it to 4\.0"),
        ({"target_modules": "attention+ff"}, r"has target_modules attention, train\.target_modules is attention\+ff"),
        ({"base": "nano@2"}, r"is for the base nano@1, and base\.model is nano@2"),
    ],
    ids=str,
)
def test_adapter_of_another_shape_or_base_is_refused_by_the_parameter(project, tmp_path, changed, told):
    _, digest = project
    start = started(f"{WEIGHTS}@{digest}", tmp_path)
    check_start(start, **SHAPE)
    with pytest.raises(AdapterError, match=told):
        check_start(start, **SHAPE | changed)


@pytest.mark.parametrize("text", ["{rank: 2}", "[1]", "3", "[]", '[["target_modules", "attention"]]'])
def test_header_that_was_edited_is_refused_by_key_and_file(project, tmp_path, text):
    weights, digest = project
    start = started(f"{weights}@{digest}", tmp_path)
    edited = replace(start, header=HEADER | {"gentra.train_params": text})
    with pytest.raises(AdapterError, match=r"train\.start_from: .*safetensors@.*gentra\.train_params in its header is"):
        check_start(edited, **SHAPE)


def test_file_that_is_no_adapter_is_refused_by_key_value_and_file(project, tmp_path):
    path = tmp_path / "photo.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(AdapterError, match=r"^train\.start_from: .*photo\.safetensors: not a safetensors file"):
        started(f"{path}@{hashlib.sha256(b'no tensors').hexdigest()}", tmp_path)


def test_strengths_that_differ_within_a_file_are_refused(project, tmp_path):
    _, digest = project
    start = started(f"{WEIGHTS}@{digest}", tmp_path)
    last = max(key for key in start.tensors if key.endswith(".alpha"))
    mixed = replace(start, tensors=start.tensors | {last: torch.tensor(1.0)})
    with pytest.raises(AdapterError, match=r"has lora_alpha 1\.0, train\.lora_alpha is 4\.0"):
        check_start(mixed, **SHAPE)


def test_its_factors_come_by_the_paths_of_the_attached_modules(project, tmp_path):
    _, digest = project
    start = started(f"{WEIGHTS}@{digest}", tmp_path)
    found = start_modules(start, modules())
    for name, module in modules().items():
        torch.testing.assert_close(found[name].down, module.down, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(found[name].up, module.up, rtol=1e-3, atol=1e-3)


def test_other_modules_and_other_shapes_are_refused(project, tmp_path):
    _, digest = project
    start = started(f"{WEIGHTS}@{digest}", tmp_path)
    with pytest.raises(AdapterError, match=r"not of the same 1 modules, such as lora_unet_mid_block_attn_to_v; set"):
        start_modules(start, modules(names=("mid_block.attn.to_q", "mid_block.attn.to_k", "mid_block.attn.to_v")))
    with pytest.raises(AdapterError, match=r"to_q has factors \(2, 3\) and \(5, 2\), of another base or rank"):
        start_modules(start, modules(rank=3))
