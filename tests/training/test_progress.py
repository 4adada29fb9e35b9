import csv
import json
import subprocess
from types import SimpleNamespace

import pytest
from dvc.repo import Repo
from tqdm import tqdm

from gentra_lora.errors import InputError
from gentra_lora.training import progress
from gentra_lora.training.progress import Progress, memory_gb

BASE = {"whole": 0.2, "low_noise": 0.3, "mid_noise": 0.2, "high_noise": 0.1}
HELD_OUT = {"whole": 0.1, "low_noise": 0.15, "mid_noise": 0.1, "high_noise": 0.09}


def entry(loss, **more):
    return {"loss": loss, "grad_norm": None if loss is None else 1.0, "learning_rate": 0.5} | more


def training(history):
    config = SimpleNamespace(steps=4, held_out_every=2)
    return SimpleNamespace(config=config, history=history, step=len(history), skipped=0)


def column(folder, name):
    with (folder / f"plots/metrics/train/{name}.tsv").open() as file:
        return [(int(row["step"]), float(row[name])) for row in csv.DictReader(file, delimiter="\t")]


def advance(shown, run, new):
    run.history.append(new)
    run.step += 1
    shown.step_done(new)


def test_curves_hold_losses_and_the_held_out_loss_relative_to_the_base_whole_and_by_band(tmp_path):
    run = training([])
    with Progress(run, tmp_path) as shown:
        advance(shown, run, entry(0.4, held_out_base=BASE))
        advance(shown, run, entry(0.2, held_out=HELD_OUT))
    assert column(tmp_path, "loss") == [(1, 0.4), (2, 0.2)]
    assert column(tmp_path, "held_out") == [(2, 0.1)]
    assert column(tmp_path, "held_out_relative") == [(2, 0.5)]
    assert column(tmp_path, "held_out_high_noise") == [(2, pytest.approx(0.9))]
    assert json.loads((tmp_path / "metrics.json").read_text())["train"]["held_out"] == 0.1


def test_held_out_loss_that_is_not_finite_is_no_point_of_a_curve_and_metrics_json_stays_json(tmp_path):
    run = training([])
    with Progress(run, tmp_path) as shown:
        advance(shown, run, entry(0.4, held_out_base=BASE))
        advance(shown, run, entry(0.2, held_out=HELD_OUT))
        advance(shown, run, entry(0.2, held_out=dict.fromkeys(HELD_OUT, float("nan"))))
    assert column(tmp_path, "held_out") == [(2, 0.1)]
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["step"] == 3


def test_resumed_run_writes_the_curves_of_an_uninterrupted_one(tmp_path):
    entries = [entry(0.4, held_out_base=BASE), entry(0.2, held_out=HELD_OUT), entry(0.3), entry(0.1, held_out=HELD_OUT)]
    for folder, before in (("whole", 0), ("resumed", 2)):
        run = training(entries[:before])
        with Progress(run, tmp_path / folder) as shown:
            for new in entries[before:]:
                advance(shown, run, new)
    for path in (tmp_path / "whole").rglob("*.tsv"):
        other = tmp_path / "resumed" / path.relative_to(tmp_path / "whole")
        assert [line.split("\t")[1:] for line in path.read_text().splitlines()] == [
            line.split("\t")[1:] for line in other.read_text().splitlines()
        ]


def test_line_says_step_losses_pace_time_left_memory_and_what_was_left_out(tmp_path):
    run = training([])
    with Progress(run, tmp_path) as shown:
        advance(shown, run, entry(None, held_out_base=BASE))
        run.skipped = 1
        advance(shown, run, entry(0.2))
        line = shown.line(0.1)
    assert line.startswith("step 2 of 4: loss 0.2000, held-out loss 0.1000 (50% of the base's), ")
    for part in (" s a step", " s left", " GB", "1 updates left out"):
        assert part in line


def test_bar_shows_smoothed_loss_held_out_loss_and_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "tqdm", lambda **options: tqdm(**options | {"disable": False}))
    run = training([])
    with Progress(run, tmp_path) as shown:
        advance(shown, run, entry(1.0, held_out_base=BASE))
        advance(shown, run, entry(0.0, held_out=HELD_OUT))
        bar = str(shown.bar)
    assert "2/4" in bar
    for part in ("loss=0.9500", "held-out=0.1000", "GB", "it/s" if "it/s" in bar else "step"):
        assert part in bar


def test_memory_is_that_of_this_process_without_a_gpu():
    assert 0.05 < memory_gb() < 50


def test_repository_without_a_commit_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    Repo.init()
    with pytest.raises(InputError, match=r"^git has no commit to keep the curves by .*; `git add -A`, `git commit -m"):
        Progress(training([]), tmp_path / "train")
