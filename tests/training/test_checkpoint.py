from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gentra_lora.adapter.file import read_adapter
from gentra_lora.errors import InputError
from gentra_lora.training import checkpoint
from gentra_lora.training.checkpoint import (
    CheckpointError,
    check_writable,
    checkpoint_folder,
    newest_checkpoint,
    remove_old,
    save_checkpoint,
)
from tests.conftest import full_disk

NAME = "lora_unet_mid_block_attentions_0_proj_in"
TENSORS = {f"{NAME}.lora_down.weight": torch.ones(2, 3), f"{NAME}.lora_up.weight": torch.ones(3, 2)}
TENSORS |= {f"{NAME}.alpha": torch.tensor(2.0)}


def save(folder, step, value, kept):
    save_checkpoint(folder, step, {"value": value}, TENSORS, {"format": "pt", "gentra.steps": str(step)}, kept)


def test_changed_value_gives_another_folder():
    assert checkpoint_folder({"rank": 8}) != checkpoint_folder({"rank": 16})
    assert checkpoint_folder({"a": 1, "b": 2}) == checkpoint_folder({"b": 2, "a": 1})


def test_environment_moves_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(tmp_path))
    assert checkpoint_folder({}).parent == tmp_path


def test_last_ones_are_kept_and_the_newest_is_found(tmp_path):
    for step in (5, 10, 100):
        save(tmp_path, step, torch.tensor(step), kept=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step-{step}.{suffix}" for step in ("0000010", "0000100") for suffix in ("pt", "safetensors")
    ]
    assert newest_checkpoint(tmp_path, 999)["step"] == 100


@pytest.mark.parametrize("size", [0, 10, 200])
def test_unreadable_one_is_named_and_the_one_before_is_taken(tmp_path, capsys, size):
    for step in (1, 2):
        save(tmp_path, step, torch.ones(100), kept=2)
    newest = tmp_path / "step-0000002.pt"
    newest.write_bytes(newest.read_bytes()[:size])
    assert newest_checkpoint(tmp_path, 999)["step"] == 1
    assert "step-0000002.pt: cannot be read" in capsys.readouterr().out


def test_kill_during_a_save_leaves_the_previous_one(tmp_path, monkeypatch):
    save(tmp_path, 1, torch.ones(3), kept=1)

    def killed(state, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 2, torch.ones(3), kept=1)
    assert newest_checkpoint(tmp_path, 999)["step"] == 1


def test_adapter_beside_the_state_is_a_file_that_any_program_can_load(tmp_path):
    save(tmp_path, 7, torch.ones(3), kept=1)
    tensors, metadata = read_adapter(tmp_path / "step-0000007.safetensors")
    assert tensors.keys() == TENSORS.keys()
    assert metadata["gentra.steps"] == "7"


def test_only_the_newest_can_be_left(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, torch.ones(3), kept=5)
    remove_old(tmp_path, 1, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-0000003.pt", "step-0000003.safetensors"]


def test_full_disk_is_told_with_the_way_out_and_the_previous_one_stays(tmp_path):
    save(tmp_path, 1, torch.ones(3), kept=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    told = r"step-0000002\.pt: cannot be saved .*free space there or set GENTRA_CHECK"
    with full_disk(), pytest.raises(CheckpointError, match=told):
        save(tmp_path, 2, torch.ones(100_000), kept=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert newest_checkpoint(tmp_path, 999)["step"] == 1


def test_no_checkpoint_is_none(tmp_path):
    assert newest_checkpoint(tmp_path / "nothing", 999) is None


def test_folder_that_cannot_be_written_is_named_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/run: cannot be written"):
        check_writable(tmp_path / "file/run")
    check_writable(tmp_path / "new/run")
    assert list((tmp_path / "new/run").iterdir()) == []


def test_several_processes_may_look_at_one_folder_at_the_same_time(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check_writable, [tmp_path / "run"] * 400))


def test_checkpoints_of_a_longer_run_are_neither_taken_nor_removed_by_a_shorter_one(tmp_path):
    save(tmp_path, 600, torch.ones(3), kept=2)
    for step in (100, 200, 300):
        save(tmp_path, step, torch.ones(3), kept=1)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["step-0000300.pt", "step-0000600.pt"]
    assert [newest_checkpoint(tmp_path, most)["step"] for most in (599, 600, 900)] == [300, 600, 600]
    assert newest_checkpoint(tmp_path, 299) is None
