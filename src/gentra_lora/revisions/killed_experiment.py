"""What a killed `dvc exp run` leaves behind, and the way back to the branch that loses nothing."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil

from gentra_lora.drive.outputs import outputs_back
from gentra_lora.errors import InputError
from gentra_lora.git import git

REFS = "refs/exps/exec"
BASELINE, MERGE = f"{REFS}/EXEC_BASELINE", f"{REFS}/EXEC_MERGE"  # DVC removes these two when an experiment ends
LOCKS = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))
STASH = "before `gentra-lora doctor --repair`"
DOCTOR = {f"GIT_{who}_{what}": "doctor@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
AT_WORK = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


class RepairError(InputError):
    """What cannot be put right without a person's decision."""


def leftovers(root: Path) -> list[str]:
    """Return what a killed experiment left in a repository, a text each; nothing while DVC is at work there."""
    if running(root):
        return []
    found = []
    if _refs(root, BASELINE, MERGE):
        found.append("an experiment was killed")
        if not _git(root, "symbolic-ref", "-q", "HEAD"):
            found.append("HEAD is on no branch")
    elif _stopped(root):
        found.append("an experiment was stopped, and left its params.yaml")
    found += [f"{path} cannot be read" for path in LOCKS if _broken(root / path)]
    return found + [text for path in LOCKS for text in _stale(root / path)]


def running(root: Path) -> list[str]:
    """Return the commands of DVC that hold files of a repository right now, in any of its work trees."""
    trees = re.findall(r"^worktree (.+)$", _git(root, "worktree", "list", "--porcelain"), flags=re.MULTILINE)
    return sorted({command for tree in {str(root), *trees} for command in at_work(Path(tree))})


def at_work(tree: Path) -> list[str]:
    """Return the commands of DVC that hold files of this very work tree right now; a stage runs within one."""
    entries = (entry for lock in LOCKS for entry in _entries(tree / lock))
    return sorted({entry["cmd"] for entry in entries if is_dvc(entry["pid"])})


def _entries(lock: Path) -> list[dict[str, Any]]:
    """Return who holds files by a lock file of DVC's: process number and command. It outlives a kill."""
    if not lock.exists() or _broken(lock):
        return []
    held = json.loads(lock.read_text())
    return [*held.get("write", {}).values(), *(entry for found in held.get("read", {}).values() for entry in found)]


def _stale(lock: Path) -> list[str]:
    """Return lines on processes that DVC would wait for for ever: after a kill, their number is another program's."""
    numbers = {entry["pid"]: entry["cmd"] for entry in _entries(lock)}
    return [
        f"{lock.name} holds files for process {number} ({command}), and that is another program by now"
        for number, command in numbers.items()
        if psutil.pid_exists(number) and not is_dvc(number)
    ]


def is_dvc(pid: int) -> bool:
    """Return whether a process lives and is DVC's: after a kill its number may be another program's."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any(Path(word).name == "dvc" for word in process.cmdline())
    except psutil.Error:
        return False


def _stopped(root: Path) -> bool:
    """Return whether Ctrl-C ended an experiment: DVC gives the branch back, but not params.yaml nor the outputs."""
    last = _git(root, "reflog", "-1", "--format=%gs", "HEAD")
    if not last.startswith("dvc: Restore HEAD") or not _git(root, "ls-files", "--deleted", "--", "reports"):
        return False
    params = root / "params.yaml"
    return params.exists() and params.read_text(encoding="utf-8", errors="replace").strip() != _git(
        root, "show", "HEAD:./params.yaml"
    )


def repair(root: Path) -> list[str]:
    """Put a killed experiment's repository back onto its branch; return what was done, a line each.

    Changes of tracked files go into git's stash first, commits without a branch get one, outputs that are in no cache
    are moved aside; files that git does not know and checkpoints are not touched.

    Raises:
        RepairError: DVC or git is at work here, or the branch cannot be told.
    """
    if commands := running(root):
        raise RepairError(f"DVC is at work here ({'; '.join(commands)}); wait for it or stop it first")
    if not leftovers(root):
        return ["nothing to repair: no experiment was killed here"]
    _check_git(root)
    done = []
    for path in LOCKS:
        if _broken(root / path):
            (root / path).unlink()
            done.append(f"removed {path}, which could not be read")
        elif _stale(root / path):
            (root / path).unlink()  # DVC is not at work here, so that no entry is anyone's
            done.append(f"removed {path}, which held files for a process that is another program by now")
    if _refs(root, BASELINE, MERGE) or _stopped(root):
        done += _back_to_branch(root) + outputs_back(root)
    return done


def _check_git(root: Path) -> None:
    git_dir = Path(_must(root, "rev-parse", "--absolute-git-dir"))
    if found := [name for name in AT_WORK if (git_dir / name).exists()]:
        raise RepairError(f"git is in the middle of something ({found[0]}); end or abort it first")
    if (git_dir / "index.lock").exists():
        raise RepairError(f"{git_dir / 'index.lock'}: git is at work here; if it is not, remove that file")


def _back_to_branch(root: Path) -> list[str]:
    done, branch = list[str](), _branch(root)
    # DVC notes times in git's index by which a changed file may seem the same: let git look into all of them.
    for name in _must(root, "ls-files", "-z").split("\0"):
        if name and (root / name).exists():
            os.utime(root / name)
    if kept := _must(root, "stash", "create", STASH, nothing=1):
        _must(root, "stash", "store", "-m", STASH, kept)
        done.append("put the changes of tracked files into git's stash; `git stash show -p` shows them")
    elif _git(root, "status", "--porcelain", "-uno"):
        raise RepairError("git's stash does not take the changes of tracked files; nothing was done")
    if merge := _git(root, "rev-parse", "-q", "--verify", MERGE):
        _must(root, "stash", "store", "-m", f"what the killed experiment started from, {STASH}", merge)
    if not _git(root, "for-each-ref", "--contains", "HEAD", "refs/heads", "refs/tags"):
        name = f"before-repair-{_must(root, 'rev-parse', '--short', 'HEAD')}"
        _must(root, "branch", name)
        done.append(f"commits that were on no branch are now on {name}")
    _must(root, "checkout", "-q", "-f", branch)
    done.append(f"HEAD is on {branch}, with its params.yaml and dvc.lock")
    for ref in _refs(root, REFS):
        _must(root, "update-ref", "--no-deref", "-d", ref)
    return done


def _branch(root: Path) -> str:
    """Return the branch that HEAD is on, or was on when the experiment began.

    Raises:
        RepairError: it cannot be told.
    """
    if name := _git(root, "symbolic-ref", "-q", "--short", "HEAD"):
        return name
    baseline = _git(root, "rev-parse", "-q", "--verify", BASELINE)
    there = _git(root, "for-each-ref", "--format=%(refname:short)", "--points-at", baseline, "refs/heads").splitlines()
    for line in _git(root, "reflog", "show", "--format=%gs", "HEAD").splitlines():
        moved = re.search(r"moving from (\S+) to ", line)
        if moved and moved[1] in there:
            return moved[1]
    if len(there) == 1:
        return there[0]
    raise RepairError(f"HEAD is on no branch, and which it was cannot be told ({', '.join(there)}); `git switch` to it")


def _refs(root: Path, *names: str) -> list[str]:
    return _git(root, "for-each-ref", "--format=%(refname)", *names).splitlines()


def _broken(path: Path) -> bool:
    try:
        return not isinstance(json.loads(path.read_text()), dict)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _git(root: Path, *words: str) -> str:
    return git(*words, cwd=root)


def _must(root: Path, *words: str, nothing: int = 0) -> str:
    """Return what git prints; `nothing` is the silent exit status by which it says that there was nothing to do.

    Raises:
        RepairError: it fails.
    """
    done = subprocess.run(["git", *words], cwd=root, env=os.environ | DOCTOR, capture_output=True, text=True)
    if done.returncode and (done.returncode != nothing or done.stderr):
        raise RepairError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
