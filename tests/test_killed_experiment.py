import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc_project import IDENTITY, TRAIN, command, weights_of

from gentra_lora.killed_experiment import RepairError, leftovers, repair, running

pytestmark = pytest.mark.slow
SLOW = """\
if grep -q "rank: 99" params.yaml; then
  mkdir -p checkpoints
  echo step 5 > checkpoints/step-5.pt
  touch begun
  sleep 60
fi
"""
WEIGHTS = Path("models/sport_gentra_lora.safetensors")


@pytest.fixture
def slow(project):
    """The project with a training that says when it has begun, and takes a minute from there."""
    (project / "train.sh").write_text(SLOW + TRAIN)
    with (project / ".gitignore").open("a") as file:
        file.write("/checkpoints\n/begun\n")
    command(project, "dvc", "repro", "-q")
    command(project, "git", "add", "-A")
    command(project, "git", "commit", "-qm", "slow")
    return project


def started(project, *words):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    values = os.environ | IDENTITY | {"PATH": path}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(["dvc", "exp", "run", *words], cwd=project, env=values, start_new_session=True, **quiet)
    while not (project / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


def end(process, number):
    os.killpg(process.pid, number)
    process.wait()


def git(project, *words):
    return command(project, "git", *words).strip()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_repair_brings_back_branch_params_and_outputs_and_keeps_the_checkpoint(slow, number):
    params = (slow / "params.yaml").read_bytes()
    end(started(slow, "-S", "train.rank=99"), number)
    assert leftovers() or number == signal.SIGINT  # which DVC itself ends in order, but for params.yaml
    done = repair()
    assert "HEAD is on main, with its params.yaml and dvc.lock" in done
    assert git(slow, "symbolic-ref", "--short", "HEAD") == "main"
    assert (slow / "params.yaml").read_bytes() == params
    assert git(slow, "status", "--porcelain") == ""
    assert (slow / WEIGHTS).read_bytes() == weights_of(32)
    assert (slow / "checkpoints/step-5.pt").read_text() == "step 5\n"
    assert leftovers() == []
    (slow / "begun").unlink()
    command(slow, "dvc", "exp", "run", "-q", "-S", "train.rank=7")
    assert (slow / WEIGHTS).read_bytes() == weights_of(7)


def test_edits_and_new_files_from_before_the_experiment_are_not_lost(slow):
    (slow / "README.md").write_text("new")
    with (slow / "train.sh").open("a") as file:
        file.write("# an edit\n")
    end(started(slow, "-S", "train.rank=99"), signal.SIGKILL)
    repair()
    assert (slow / "README.md").read_text() == "new"
    assert "# an edit" in git(slow, "stash", "show", "-p", "stash@{0}")
    assert "rank: 99" in git(slow, "stash", "show", "-p", "stash@{0}")


def test_experiment_that_still_runs_is_not_touched(slow):
    process = started(slow, "-S", "train.rank=99")
    try:
        assert running()
        assert leftovers() == []
        with pytest.raises(RepairError, match="DVC is at work here .*wait for it or stop it first"):
            repair()
    finally:
        end(process, signal.SIGKILL)


def test_lock_file_that_cannot_be_read_is_removed(project):
    (project / ".dvc/tmp/rwlock").write_text("")
    assert leftovers() == [".dvc/tmp/rwlock cannot be read"]
    repair()
    assert leftovers() == []
    command(project, "dvc", "status")


def test_nothing_is_found_in_a_sound_repository(project):
    assert leftovers() == []


def test_branch_that_was_left_by_hand_is_not_called_a_killed_experiment(project):
    git(project, "checkout", "-q", "--detach")
    assert leftovers() == []
