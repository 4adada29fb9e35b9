import json
import os
import random
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from gentra_lora.commands.main import main
from gentra_lora.revisions.killed_experiment import BASELINE, MERGE, REFS, RepairError, leftovers, repair, running
from tests.conftest import full_disk
from tests.dvc_project import TRAIN, command, environment, weights_of
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
SLOW = """\
if grep -q "rank: 99" params.yaml; then
  mkdir -p checkpoints
  echo step 5 > checkpoints/step-5.pt
  touch begun
  sleep 600
fi
"""
WEIGHTS = Path("models/sport_gentra_lora.safetensors")


@pytest.fixture
def slow(project):
    """The project with a training that says when it has begun, and takes ten minutes from there."""
    (project / "train.sh").write_text(SLOW + TRAIN)
    with (project / ".gitignore").open("a") as file:
        file.write("/checkpoints\n/begun\n")
    command(project, "dvc", "repro", "-q")
    command(project, "git", "add", "-A")
    command(project, "git", "commit", "-qm", "slow")
    return project


def started(project, *words):
    more = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    # Where the tests run in the background they ignore Ctrl-C, and would hand that on.
    more |= {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(["dvc", "exp", "run", *words], cwd=project, env=environment(), **more)
    until(lambda: (project / "begun").exists() or process.poll() is not None)
    assert process.poll() is None
    until(lambda: ignores_interrupts(process))
    return process


def ignores_interrupts(process):
    """Return whether DVC leaves Ctrl-C to its command, which it does a moment after that has begun."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16) >> signal.SIGINT - 1 & 1


def end(process, number):
    os.killpg(process.pid, number)
    process.wait(PATIENCE)


def git(project, *words):
    return command(project, "git", *words).strip()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_repair_brings_back_branch_params_and_outputs_and_keeps_the_checkpoint(slow, number):
    params = (slow / "params.yaml").read_bytes()
    end(started(slow, "-S", "train.rank=99"), number)
    assert leftovers(slow)
    done = repair(slow)
    assert "HEAD is on main, with its params.yaml and dvc.lock" in done
    assert git(slow, "symbolic-ref", "--short", "HEAD") == "main"
    assert (slow / "params.yaml").read_bytes() == params
    assert git(slow, "status", "--porcelain") == ""
    assert (slow / WEIGHTS).read_bytes() == weights_of(32)
    assert (slow / "checkpoints/step-5.pt").read_text() == "step 5\n"
    assert leftovers(slow) == []
    (slow / "begun").unlink()
    command(slow, "dvc", "exp", "run", "-q", "-S", "train.rank=7")
    assert (slow / WEIGHTS).read_bytes() == weights_of(7)


def test_edits_and_new_files_from_before_the_experiment_are_not_lost(slow):
    (slow / "README.md").write_text("new")
    with (slow / "train.sh").open("a") as file:
        file.write("# an edit\n")
    end(started(slow, "-S", "train.rank=99"), signal.SIGKILL)
    repair(slow)
    assert (slow / "README.md").read_text() == "new"
    assert "# an edit" in git(slow, "stash", "show", "-p", "stash@{0}")
    assert "rank: 99" in git(slow, "stash", "show", "-p", "stash@{0}")


def test_experiment_that_still_runs_is_not_touched(slow):
    process = started(slow, "-S", "train.rank=99")
    try:
        assert running(slow)
        assert leftovers(slow) == []
        with pytest.raises(RepairError, match="DVC is at work here .*wait for it or stop it first"):
            repair(slow)
    finally:
        end(process, signal.SIGKILL)


def test_lock_file_that_cannot_be_read_is_removed(project):
    (project / ".dvc/tmp/rwlock").write_text("")
    assert leftovers(project) == [".dvc/tmp/rwlock cannot be read"]
    repair(project)
    assert leftovers(project) == []
    command(project, "dvc", "status")


def test_nothing_is_found_in_a_sound_repository(project):
    assert leftovers(project) == []


def test_branch_that_was_left_by_hand_is_not_called_a_killed_experiment(project):
    git(project, "checkout", "-q", "--detach")
    assert leftovers(project) == []


@pytest.fixture
def killed(project):
    """The project with the marks of a killed experiment."""
    git(project, "checkout", "-q", "--detach")
    git(project, "update-ref", BASELINE, "HEAD")
    return project


def test_sound_repository_is_left_alone(project):
    (project / "params.yaml").write_text((project / "params.yaml").read_text().replace("32", "48"))
    assert repair(project) == ["nothing to repair: no experiment was killed here"]
    assert "rank: 48" in (project / "params.yaml").read_text()


def test_full_disk_stops_before_anything_is_given_up(killed):
    (killed / "train.sh").write_bytes(random.Random(1).randbytes(200_000))
    with full_disk(), pytest.raises(RepairError, match="git stash create"):
        repair(killed)
    assert len((killed / "train.sh").read_bytes()) == 200_000


def test_finished_experiment_that_the_marks_point_at_stays(killed):
    wide = git(killed, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    git(killed, "symbolic-ref", f"{REFS}/EXEC_BRANCH", next(name for name in wide if name.endswith("wide")))
    repair(killed)
    assert any(name.endswith("wide") for name in git(killed, "for-each-ref", "--format=%(refname)").splitlines())
    assert git(killed, "for-each-ref", REFS) == ""


def test_commits_that_were_made_on_no_branch_get_one(killed):
    (killed / "train.sh").write_text("mine")
    git(killed, "commit", "-qam", "mine")
    commit = git(killed, "rev-parse", "HEAD")
    assert any("are now on before-repair-" in line for line in repair(killed))
    assert git(killed, "for-each-ref", "--contains", commit, "refs/heads")


def test_edits_that_only_the_experiment_holds_are_kept_in_the_stash(killed):
    (killed / "train.sh").write_text("mine")
    merge = git(killed, "stash", "create")
    git(killed, "checkout", "-q", "-f", "HEAD")
    git(killed, "update-ref", MERGE, merge)
    repair(killed)
    assert "mine" in git(killed, "stash", "show", "-p", "stash@{0}")


def test_outputs_that_are_in_no_cache_are_moved_aside(killed):
    (killed / WEIGHTS).write_bytes(b"precious")
    assert any("was in no cache, and is now in" in line for line in repair(killed))
    assert (killed / WEIGHTS).read_bytes() == weights_of(32)
    assert [path.read_bytes() for path in (killed / ".dvc/tmp").glob(f"before-repair-*/{WEIGHTS}")] == [b"precious"]


def test_outputs_stay_where_the_cache_has_none_to_put_in_their_place(killed):
    shutil.rmtree(killed / ".dvc/cache")
    (killed / WEIGHTS).write_bytes(b"precious")
    assert any("not all in DVC's cache" in line for line in repair(killed))
    assert (killed / WEIGHTS).read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["index.lock", "MERGE_HEAD"])
def test_git_at_work_is_not_disturbed(killed, name):
    (killed / ".git" / name).write_text("")
    with pytest.raises(RepairError, match=name):
        repair(killed)
    assert git(killed, "for-each-ref", REFS)


def test_process_that_took_the_number_of_a_dead_one_does_not_block(killed):
    held = {"write": {"a": {"pid": os.getpid(), "cmd": "dvc exp run"}}, "read": {}}
    (killed / ".dvc/tmp/rwlock").write_text(json.dumps(held))
    assert running(killed) == []


def test_lock_that_names_another_program_for_a_dead_one_is_told_and_removed(project):
    lock = project / ".dvc/tmp/rwlock"
    held = {"read": {"a": [{"pid": os.getpid(), "cmd": "dvc repro"}]}, "write": {}}
    lock.write_text(json.dumps(held))
    told = f"rwlock holds files for process {os.getpid()} (dvc repro), and that is another program by now"
    assert leftovers(project) == [told]
    assert repair(project) == ["removed .dvc/tmp/rwlock, which held files for a process that is another program by now"]
    assert leftovers(project) == [] and not lock.exists()


def test_lock_that_names_a_dead_process_is_left_to_dvc(project):
    with subprocess.Popen(["true"]) as process:
        process.wait()
    (project / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {"a": {"pid": process.pid, "cmd": "dvc repro"}}}))
    assert leftovers(project) == []


def test_command_works_from_a_folder_of_the_project(killed, monkeypatch, capsys):
    monkeypatch.chdir(killed / "reports")
    with pytest.raises(SystemExit):
        main(["doctor", "--repair"])
    assert "HEAD is on main" in capsys.readouterr().out
