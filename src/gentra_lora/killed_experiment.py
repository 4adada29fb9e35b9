"""What a killed `dvc exp run` leaves behind, and the way back to the branch that loses nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import yaml

from gentra_lora.errors import InputError

REFS = "refs/exps/exec"
MARKS = (f"{REFS}/EXEC_BASELINE", f"{REFS}/EXEC_MERGE")  # these two DVC removes when an experiment ends
LOCKS = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))
STASH = "before `gentra-lora doctor --repair`"


class RepairError(InputError):
    """What cannot be put right without a person's decision."""


def leftovers():
    """Return what a killed or stopped experiment left in the current folder's repository, a text each."""
    if running():
        return []
    found = []
    if _refs(*MARKS):
        found.append("an experiment was killed")
        if not _git("symbolic-ref", "-q", "HEAD"):
            found.append("HEAD is on no branch")
    return found + [f"{path} cannot be read" for path in LOCKS if _broken(path)]


def running():
    """Return the commands of DVC that hold files of the repository right now."""
    commands = set()
    for path in LOCKS:
        if path.exists() and not _broken(path):
            held = json.loads(path.read_text())
            entries = [*held.get("write", {}).values(), *(e for found in held.get("read", {}).values() for e in found)]
            commands |= {entry["cmd"] for entry in entries if psutil.pid_exists(entry["pid"])}
    return sorted(commands)


def repair():
    """Put a killed experiment's repository back onto its branch; return what was done, a line each.

    Changes of tracked files go into git's stash first; files that git does not know and checkpoints are not touched.

    Raises:
        RepairError: DVC is at work here, or the branch cannot be told.
    """
    if commands := running():
        raise RepairError(f"DVC is at work here ({'; '.join(commands)}); wait for it or stop it first")
    done = []
    for path in LOCKS:
        if _broken(path):
            path.unlink()
            done.append(f"removed {path}, which could not be read")
    branch = _branch()
    _forget_stats()
    if kept := _git("stash", "create", STASH):
        _must("stash", "store", "-m", STASH, kept)
        done.append("put the changes of tracked files into git's stash; `git stash show -p` shows them")
    _must("checkout", "-q", "-f", branch)
    done.append(f"HEAD is on {branch}, with its params.yaml and dvc.lock")
    for ref in _refs(REFS):
        _must("update-ref", "-d", ref)
    return [*done, *_outputs_back(), *_earlier_stashes()]


def _forget_stats():
    """Let git compare the files themselves: by the times that DVC notes in the index a changed one seems the same."""
    Path(_git("rev-parse", "--git-path", "index")).unlink(missing_ok=True)
    _must("reset", "-q")


def _branch():
    """Return the branch that HEAD is on, or was on before the experiment."""
    if name := _git("symbolic-ref", "-q", "--short", "HEAD"):
        return name
    branches = _git("for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
    for line in _git("reflog", "show", "--format=%gs", "HEAD").splitlines():
        moved = re.search(r"moving from (\S+) to ", line)
        if moved and moved[1] in branches:
            return moved[1]
    here = _git("for-each-ref", "--format=%(refname:short)", "--points-at", "HEAD", "refs/heads").splitlines()
    if len(here) == 1:
        return here[0]
    raise RepairError(f"HEAD is on no branch, and of {', '.join(branches)} none can be told; `git switch -f` to yours")


def _outputs_back():
    """Bring the stages' outputs back from DVC's cache; photos that were added by hand are in none of them."""
    stages = list(yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"])
    words = [sys.executable, "-m", "dvc", "checkout", "--force", "--quiet", *stages]
    if subprocess.run(words, capture_output=True).returncode == 0:
        return ["outputs are back from DVC's cache"]
    return ["not all outputs are in DVC's cache; `gentra-lora drive pull` or `dvc repro` brings them"]


def _earlier_stashes():
    """Return a line where DVC itself had put edits aside before it was killed."""
    others = [line for line in _git("stash", "list", "--format=%gd %gs").splitlines() if STASH not in line]
    return [f"git's stash also holds {line}: yours from before, `git stash pop` brings it back" for line in others]


def _refs(*names):
    return _git("for-each-ref", "--format=%(refname)", *names).splitlines()


def _broken(path):
    try:
        json.loads(path.read_text())
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return False


def _git(*words):
    """Return what git prints, empty where it fails."""
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def _must(*words):
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    if done.returncode:
        raise RepairError(f"git {' '.join(words)}: {done.stderr.strip()}")
