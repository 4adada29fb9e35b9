import csv
import json
import os
import signal

import pytest
from accelerate.state import AcceleratorState
from conftest import change

from gentra_lora.adapter import read_adapter
from gentra_lora.errors import InputError
from gentra_lora.stages import train

OUT = "models/sport_gentra_lora.safetensors"


def column(workspace, name):
    with (workspace / f"reports/train/plots/metrics/train/{name}.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_file_holds_rank_alpha_trigger_and_the_exact_base(cached):
    train.main()
    tensors, metadata = read_adapter(cached / OUT)
    assert {tensors[key].item() for key in tensors if key.endswith(".alpha")} == {2}
    assert metadata["ss_network_dim"] == "4"
    assert metadata["modelspec.trigger_phrase"] == "gentra"
    assert metadata["gentra.base"].startswith("tiny-sd@sha256:")
    assert json.loads(metadata["gentra.train_params"])["steps"] == 6


def test_two_runs_write_the_same_bytes(cached, monkeypatch):
    written = []
    for place in ("one", "two"):
        monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / place))
        train.main()
        written.append((cached / OUT).read_bytes())
    assert written[0] == written[1]


def test_killed_run_goes_on_from_its_last_checkpoint_to_the_same_bytes(cached, monkeypatch, capsys):
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "whole"))
    train.main()
    whole, curve = (cached / OUT).read_bytes(), column(cached, "loss")
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "killed"))
    original = train.Training.run_step

    def killed_in_the_sixth_step(self):
        if self.step == 5:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(train.Training, "run_step", killed_in_the_sixth_step)
    with pytest.raises(KeyboardInterrupt):
        train.main()
    monkeypatch.setattr(train.Training, "run_step", original)
    train.main()
    assert "going on from step 4 of 6" in capsys.readouterr().out
    assert (cached / OUT).read_bytes() == whole
    assert column(cached, "loss") == curve


def test_changed_parameter_starts_fresh_and_says_so(cached, capsys):
    train.main()
    change(cached, "train", learning_rate=0.0003)
    train.main()
    assert capsys.readouterr().out.count("starting fresh") == 2


def test_parameter_that_only_says_when_to_save_does_not_start_fresh(cached, capsys):
    train.main()
    change(cached, "train", checkpoint_every=5, checkpoints_kept=1)
    train.main()
    assert "going on from step 6 of 6" in capsys.readouterr().out


def test_held_out_loss_is_logged_against_the_base(cached, capsys):
    train.main()
    assert [row["step"] for row in column(cached, "held_out")] == ["3", "6"]
    assert [row["step"] for row in column(cached, "loss")] == [str(n) for n in range(1, 7)]
    assert "step 0: held-out loss" in capsys.readouterr().out


def test_training_log_does_not_touch_dvc_yaml(cached):
    before = (cached / "dvc.yaml").read_bytes()
    train.main()
    assert (cached / "dvc.yaml").read_bytes() == before


def test_half_precision_run_ends_in_a_file(cached, monkeypatch):
    AcceleratorState._reset_state()
    monkeypatch.setattr(train, "choose_precision", lambda requested, device: ("bf16", "as on a GPU"))
    train.main()
    assert len(read_adapter(cached / OUT)[0]) > 0
    AcceleratorState._reset_state()


def test_unwritable_checkpoint_folder_is_told_before_training(cached, monkeypatch):
    (cached / "file").write_text("")
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "file"))
    with pytest.raises(InputError, match=r"cannot be written .*free it or name another place"):
        train.main()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_run_after_its_step_and_the_next_one_goes_on_to_the_same_bytes(
    cached, monkeypatch, capsys, number
):
    change(cached, "train", checkpoint_every=100)
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "whole"))
    train.main()
    whole = (cached / OUT).read_bytes()
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "stopped"))
    original = train.Training.run_step

    def signalled_in_the_third_step(self):
        if self.step == 2:
            os.kill(os.getpid(), number)
        return original(self)

    monkeypatch.setattr(train.Training, "run_step", signalled_in_the_third_step)
    with pytest.raises(SystemExit) as caught:
        train.main()
    assert caught.value.code == 128 + number
    assert f"{number.name}: saved step 3 of 6; `dvc repro` goes on from it" in capsys.readouterr().out
    monkeypatch.setattr(train.Training, "run_step", original)
    train.main()
    assert "going on from step 3 of 6" in capsys.readouterr().out
    assert (cached / OUT).read_bytes() == whole


def test_checkpoint_is_saved_when_the_minutes_are_over(cached, monkeypatch):
    change(cached, "train", checkpoint_every=100, checkpoint_minutes=1e-9, checkpoints_kept=50)
    kept = []
    save = train.save_checkpoint
    monkeypatch.setattr(
        train, "save_checkpoint", lambda folder, step, *rest: (kept.append(step), save(folder, step, *rest))
    )
    train.main()
    assert kept == [1, 2, 3, 4, 5, 6]
