import pytest
import torch

from gentra_lora import checkpoint
from gentra_lora.checkpoint import check_writable, checkpoint_folder, newest_checkpoint, save_checkpoint
from gentra_lora.errors import InputError


def test_changed_value_gives_another_folder():
    assert checkpoint_folder({"rank": 8}) != checkpoint_folder({"rank": 16})
    assert checkpoint_folder({"a": 1, "b": 2}) == checkpoint_folder({"b": 2, "a": 1})


def test_environment_moves_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(tmp_path))
    assert checkpoint_folder({}).parent == tmp_path


def test_last_ones_are_kept_and_the_newest_is_found(tmp_path):
    for step in (5, 10, 100):
        save_checkpoint(tmp_path, step, {"value": torch.tensor(step)}, kept=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-0000010.pt", "step-0000100.pt"]
    assert newest_checkpoint(tmp_path)["step"] == 100


@pytest.mark.parametrize("size", [0, 10, 200])
def test_unreadable_one_is_named_and_the_one_before_is_taken(tmp_path, capsys, size):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"value": torch.ones(100)}, kept=2)
    newest = tmp_path / "step-0000002.pt"
    newest.write_bytes(newest.read_bytes()[:size])
    assert newest_checkpoint(tmp_path)["step"] == 1
    assert "step-0000002.pt: cannot be read" in capsys.readouterr().out


def test_kill_during_a_save_leaves_the_previous_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, {"value": torch.ones(3)}, kept=1)

    def killed(state, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, 2, {"value": torch.ones(3)}, kept=1)
    assert newest_checkpoint(tmp_path)["step"] == 1


def test_no_checkpoint_is_none(tmp_path):
    assert newest_checkpoint(tmp_path / "nothing") is None


def test_folder_that_cannot_be_written_is_named_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/run: cannot be written"):
        check_writable(tmp_path / "file/run")
    check_writable(tmp_path / "new/run")
    assert list((tmp_path / "new/run").iterdir()) == []
