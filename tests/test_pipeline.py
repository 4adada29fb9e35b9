"""The user's own commands on a repository of its own with the tiny base: dvc repro, exp run, a kill, a resume."""

import csv
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import dumps_yaml
from PIL import Image

from gentra_lora.adapter.file import read_adapter
from gentra_lora.params import load_params
from tests.conftest import ROOT, change, shipped_dvc_yaml, tiny_values, write_photos
from tests.dvc_project import command, environment
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


def commit(repo):
    command(repo, "git", "add", "-A")
    command(repo, "git", "commit", "-qm", "x")


@pytest.fixture(scope="module")
def repo(tmp_path_factory, tiny_base, tiny_clip):
    """A clone-like repository in which the tiny models take the place of the nano ones."""
    folder = tmp_path_factory.mktemp("pipeline")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(tiny_base, folder / "models/nano-sd")
    shutil.copytree(tiny_clip, folder / "models/nano-clip")
    (folder / "demo").mkdir()
    shutil.copy(ROOT / "demo/judge.safetensors", folder / "demo")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    for name in (".dvc/.gitignore", ".gitignore", ".dvcignore", "gentra_lora.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.yaml").write_text(shipped_dvc_yaml())
    write_photos(folder / "data/raw")
    (folder / "reports").mkdir()
    (folder / "reports/noise.json").write_text("{}\n")
    values = tiny_values("models/nano-sd", "models/nano-clip")
    values["train"]["sample_every"] = 6
    (folder / "params.yaml").write_text(dumps_yaml(values))
    command(folder, "git", "init", "-q")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def reproduced(repo):
    shown = command(repo, "dvc", "repro")
    commit(repo)
    return repo, shown


@pytest.fixture(scope="module")
def experiment(reproduced):
    repo, _ = reproduced
    shown = command(repo, "dvc", "exp", "run", "-n", "slow-rate", "-S", "train.learning_rate=5e-5")
    return repo, shown


def test_repro_runs_the_four_stages_and_leaves_nothing_to_do(reproduced):
    repo, shown = reproduced
    assert [line for line in shown.splitlines() if line.startswith("Running stage")] == [
        f"Running stage '{stage}':" for stage in ("prepare", "cache_latents", "train", "evaluate")
    ]
    assert "Data and pipelines are up to date." in command(repo, "dvc", "status")


def test_repro_prints_no_warning_and_no_progress_bar(reproduced):
    _, shown = reproduced
    assert not any(word in shown for word in ("Warning", "WARNING", "deprecat", "%|", "torchvision", "Traceback"))


def test_repro_leaves_dvc_yaml_and_git_clean(reproduced):
    repo, _ = reproduced
    assert (repo / "dvc.yaml").read_text() == shipped_dvc_yaml()
    tracked = command(repo, "git", "ls-files").split()
    assert "reports/metrics.json" in tracked
    assert not [name for name in tracked if name.startswith(("data/processed", "data/latents", "checkpoints"))]
    pictures = (".png", ".html", "lora.safetensors")
    assert not [name for name in tracked if name.endswith(pictures) and not name.startswith(("data/raw", "src/"))]


def test_lock_holds_the_plain_md5_of_the_adapter_file(reproduced):
    repo, _ = reproduced
    outs = yaml.safe_load((repo / "dvc.lock").read_text())["stages"]["train"]["outs"]
    listed = {out["path"]: out["md5"] for out in outs}
    adapter = repo / "models/sport_gentra_lora.safetensors"
    assert listed["models/sport_gentra_lora.safetensors"] == hashlib.md5(adapter.read_bytes()).hexdigest()


def test_experiment_with_another_learning_rate_trains_again_but_encodes_nothing(experiment):
    repo, shown = experiment
    assert "Stage 'prepare' didn't change, skipping" in shown
    assert "Stage 'cache_latents' didn't change, skipping" in shown
    assert "Running stage 'train'" in shown
    _, header = read_adapter(repo / "models/sport_gentra_lora.safetensors")
    assert json.loads(header["gentra.train_params"])["learning_rate"] == 0.00005


@pytest.mark.parametrize("text", ["1e-4", "5e-5", "0.00005", "1e-05"])
def test_learning_rate_of_an_experiment_arrives_as_that_float(tmp_path, text):
    shutil.copy(ROOT / "profiles/demo.yaml", tmp_path / "params.yaml")
    apply_overrides(tmp_path / "params.yaml", [f"train.learning_rate={text}"])  # as `dvc exp run -S` does
    assert load_params(tmp_path / "params.yaml").train.learning_rate == float(text)


def test_experiment_stands_beside_the_baseline(experiment):
    repo, _ = experiment
    by_metric = ("--sort-by", "reports/metrics.json:val_loss", "--sort-order", "desc")
    table = list(
        csv.DictReader(command(repo, "dvc", "exp", "show", "--only-changed", "--csv", *by_metric).splitlines())
    )
    row = next(row for row in table if row["Experiment"] == "slow-rate")
    assert row["train.learning_rate"] == "5e-05"
    assert float(row["val_loss"]) > 0 and float(row["val_loss_relative"]) > 0
    changed = json.loads(command(repo, "dvc", "metrics", "diff", "HEAD", "--json"))["reports/metrics.json"]
    assert changed["val_loss"]["diff"] != 0
    plots = command(repo, "dvc", "plots", "diff", "HEAD", "--out", "dvc_plots")
    assert "index.html" in plots
    page = (repo / "dvc_plots/index.html").read_text()
    titles = "training loss", "loss on photos that are never trained on", "held-out loss over the base's"
    pictures = "grid.png", "img2img.png", "drift.png", "scales.png", "prompt_1_gentra__snow.png", "step-0000006.png"
    assert [name for name in (*titles, *pictures) if name not in page] == []


def test_comparison_of_the_experiment_with_its_baseline_comes_from_the_cache(experiment):
    repo, _ = experiment
    found = json.loads(command(repo, "gentra-lora", "compare", "HEAD", "slow-rate", "--json"))
    assert "train.learning_rate: 0.002 -> 5e-05" in found["changed"]
    assert {measure["key"] for measure in found["measures"]} >= {"val_loss", "subject_similarity", "drift"}
    assert found["differing"] == []


def test_wrong_parameter_of_an_experiment_ends_at_once_with_its_key(experiment):
    repo, _ = experiment
    adapter = repo / "models/sport_gentra_lora.safetensors"
    before = adapter.read_bytes(), files_of(repo / "reports/train")
    shown = command(repo, "dvc", "exp", "run", "-S", "train.rank=abc", check=False)
    command(repo, "git", "checkout", "-q", "params.yaml")
    assert (adapter.read_bytes(), files_of(repo / "reports/train")) == before
    assert "train.rank: Input should be a valid integer, not 'abc'" in shown
    assert "Traceback" not in shown


def test_queued_experiment_runs_the_code_that_it_was_queued_with(repo):
    stage = repo / "src/gentra_lora/stages/prepare.py"
    before = stage.read_text()
    stage.write_text(before.replace('f"prepared {len(rows)}', 'f"prepared anew {len(rows)}'))
    command(repo, "dvc", "exp", "run", "--queue", "-n", "edited", "-C", "data/raw", "prepare")
    stage.write_text(before)
    command(repo, "dvc", "exp", "run", "--run-all")
    assert "prepared anew 8 photos" in command(repo, "dvc", "queue", "logs", "edited")


def newest(checkpoints):
    """Return the step of the newest checkpoint."""
    return max((int(path.stem.removeprefix("step-")) for path in checkpoints.glob("*/step-*.pt")), default=0)


def repro_killed(repo, checkpoints):
    """Run `dvc repro` and SIGKILL the whole process group once there is a checkpoint; return what it printed."""
    output = checkpoints / "shown.txt"
    with output.open("w") as shown:
        more = {"stdout": shown, "stderr": shown, "start_new_session": True}
        values = environment(GENTRA_CHECKPOINTS=str(checkpoints))
        running = subprocess.Popen(["dvc", "repro"], cwd=repo, env=values, **more)
        until(lambda: newest(checkpoints) or running.poll() is not None)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    return output.read_text()


def train_killed(repo, checkpoints, forks, moments):
    """Run the stage and SIGKILL it some steps later, somewhere within a step; return what it printed."""
    begun, steps = newest(checkpoints), moments.randrange(1, 4)
    fork = forks.start(repo, "train", GENTRA_CHECKPOINTS=str(checkpoints))
    until(lambda: newest(checkpoints) >= begun + steps)
    time.sleep(moments.uniform(0, 0.02))
    fork.kill()
    assert fork.wait() == -signal.SIGKILL, fork.shown
    return fork.shown


IN_THE_SECOND_SAVE = """
import os, signal, torch
whole, saved = torch.save, []

def save(state, path):
    whole(state, path)
    if saved:
        os.truncate(path, int({share} * path.stat().st_size))
        os.kill(os.getpid(), signal.SIGKILL)
    saved.append(path)

torch.save = save
"""


def train_killed_in_a_save(repo, checkpoints, forks, share):
    """Run the stage until that share of a checkpoint's bytes is written; return what it printed."""
    before = IN_THE_SECOND_SAVE.format(share=share)
    fork = forks.start(repo, "train", before, GENTRA_CHECKPOINTS=str(checkpoints))
    assert fork.wait() == -signal.SIGKILL, fork.shown
    assert list(checkpoints.rglob("*.partial"))
    return fork.shown


def test_twenty_sigkills_at_random_moments_and_within_saves_change_no_byte(experiment, tmp_path, forks):
    repo, _ = experiment
    change(repo, "train", steps=160, checkpoint_every=1, held_out_every=50, learning_rate=0.001)
    adapter, moments = repo / "models/sport_gentra_lora.safetensors", random.Random(1)
    before = adapter.read_bytes()
    shown = [repro_killed(repo, tmp_path)]
    for share in (0.0, 0.3, 0.7, 1.0):
        shown += [train_killed(repo, tmp_path, forks, moments) for _ in range(4)]
        shown.append(train_killed_in_a_save(repo, tmp_path, forks, share))
    resumed = [int(found[1]) for text in shown if (found := re.search(r"going on from step (\d+)", text))]
    assert len(resumed) == 20, shown
    assert resumed == sorted(set(resumed))
    assert adapter.read_bytes() == before  # kept until there is another
    assert "after 160 steps" in command(repo, "dvc", "repro", "train", GENTRA_CHECKPOINTS=str(tmp_path))
    killed = hashlib.sha256(adapter.read_bytes()).hexdigest()
    assert "starting fresh" in forks.run(repo, "train", GENTRA_CHECKPOINTS=str(tmp_path / "undisturbed"))
    assert hashlib.sha256(adapter.read_bytes()).hexdigest() == killed


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_refused_photo_leaves_the_outputs_of_the_last_good_run(experiment):
    repo, _ = experiment
    before = files_of(repo / "data/processed")
    extra = repo / "data/raw/images/extra.jpg"
    extra.write_bytes(b"no picture")
    shown = command(repo, "dvc", "repro", "prepare", check=False)
    extra.unlink()
    assert "extra.jpg: is no picture" in shown and "extra.jpg: has no caption" in shown
    assert files_of(repo / "data/processed") == before != {}


@pytest.mark.parametrize("edit", ["lora.rank=abc", "train.rnk=8"])
def test_unknown_key_of_an_experiment_ends_before_anything_runs(experiment, edit):
    repo, _ = experiment
    shown = command(repo, "dvc", "exp", "run", "-S", edit, check=False)
    assert f"Could not override '{edit.split('=')[0]}'" in shown
    assert "Running stage" not in shown


@pytest.fixture(scope="module")
def failed(experiment):
    """What `dvc repro` prints after a photo was added, its training set to what this machine has not."""
    repo, _ = experiment
    Image.radial_gradient("L").resize((90, 90)).save(repo / "data/raw/images/new.png")
    with (repo / "data/raw/captions.txt").open("a") as file:
        file.write("new.png\ta gentra\n")
    change(repo, "train", optimizer="adamw8bit")
    return repo, command(repo, "dvc", "repro", check=False)


def test_added_photo_is_the_only_one_that_dvc_repro_encodes(failed):
    _, shown = failed
    assert "cached the latents of 9 photos: 1 encoded, 1 captions embedded, 0 class pictures drawn" in shown


def test_stage_that_fails_leaves_git_clean_of_photos_latents_and_weights(failed):
    repo, shown = failed
    assert "Running stage 'cache_latents'" in shown and "failed to reproduce 'train'" in shown
    new = [line[3:] for line in command(repo, "git", "status", "--porcelain", "-uall").splitlines()]
    assert not [name for name in new if name.startswith(("data/processed", "data/latents", "models", "checkpoints"))]
