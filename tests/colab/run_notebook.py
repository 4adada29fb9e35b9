"""`make test-notebook`: the notebook from top to bottom as Colab would run it, but for the GPU and Google's Drive.

Sessions on one Drive: a first, the same again, one with a value that is refused, one on a new machine, two that are
killed while they train, and one more on a new machine that ends what they began. Executed notebooks are kept in
.venv-colab/executed.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from nbclient.exceptions import CellExecutionError
from session import ROOT, Machine, Session

EXECUTED = Path(sys.prefix) / "executed"
FORM = {"PROFILE": "demo", "RANK": "16", "STEPS": "12", "NAME": "slower"}
LONGER = {"STEPS": "60", "NAME": ""}
ADAPTER = "models/sport_gentra_lora.safetensors"
# Less to encode, fewer pictures and shorter trainings: the result is not what is tested here.
CHEAPER = {"  seeds: [1, 2, 3, 4]": "  seeds: [1, 2]", "  num_inference_steps: 10": "  num_inference_steps: 4"}
CHEAPER |= {"  crop_variants: 6": "  crop_variants: 2", "  lr_warmup_steps: 35": "  lr_warmup_steps: 3"}
CHEAPER |= {"  class_pictures: 32": "  class_pictures: 4", "  prior_draws: 8": "  prior_draws: 2"}
CHEAPER |= {"  checkpoint_every: 50": "  checkpoint_every: 20"}


def main():
    shutil.rmtree(EXECUTED, ignore_errors=True)
    EXECUTED.mkdir()
    top = Path(tempfile.mkdtemp(prefix="sport-gentra-notebook-"))
    print(f"in {top}; executed notebooks go to {EXECUTED}", flush=True)
    # Where the environment is used again, it holds the project of the run before, which the notebook replaces.
    before = [line for line in packages() if "sport" not in line]
    machine = Machine(top)
    make_origin(machine.origin)
    shutil.copytree(ROOT / "data/demo", machine.unmounted / "MyDrive/sport_gentra")
    form = FORM | {"REPOSITORY": str(machine.origin)}
    with part("first session"):
        first = first_session(machine, form)
    with part("the same cells again"):
        again(machine, form, first)
    with part("a value that is refused"):
        refused(machine, form)
    with part("a new machine"):
        new_machine(machine, form, first)
    with part("killed twice, then a new machine"):
        killed(machine, form | LONGER)
    gone = [line for line in before if line not in packages()]
    assert not gone, f"the notebook changed preinstalled packages: {gone}"
    print(f"not one of {len(before)} preinstalled packages changed")
    shutil.rmtree(top)


@contextmanager
def part(name):
    """Print how long a part took."""
    started = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def packages():
    """Return the installed packages as NAME==VERSION."""
    found = subprocess.run([sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def git(folder, *words):
    """Return what git prints in a folder."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    found = subprocess.run(["git", "-C", folder, *identity, *words], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def make_origin(path):
    """Make a bare repository of the working tree as it is, with a cheaper training and evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        git(copy, "init", "--quiet", "--initial-branch", "main")
        git(copy, "--work-tree", ROOT, "add", "--all")
        git(copy, "checkout-index", "--all")
        text = (copy / "profiles/demo.yaml").read_text(encoding="utf-8")
        for line, cheaper in CHEAPER.items():
            assert line in text, f"profiles/demo.yaml has no line {line!r}"
            text = text.replace(line, cheaper)
        for name in ("params.yaml", "profiles/demo.yaml"):
            (copy / name).write_text(text, encoding="utf-8")
        git(copy, "commit", "--quiet", "--all", "--message", "The working tree")
        git(copy, "clone", "--quiet", "--bare", copy, path)


def first_session(machine, form):
    """Run everything once; return the adapter's sha256."""
    session = Session(machine, form, EXECUTED / "1_first.ipynb").run()
    assert "starting fresh" in session.shown("8.")
    for title, count in {"5.": 1, "8.": 1, "10.": 2}.items():
        pictures = session.pictures(title)
        assert len(pictures) == count, f"cell {title} shows {len(pictures)} pictures"
        assert all(np.asarray(picture.convert("L")).std() > 5 for picture in pictures), f"cell {title}: a blank picture"
    assert re.search(r"rank 16.* modules, [\d,]+ weights are trained", session.shown("7."))
    check_kept(machine, session)
    return sha256(machine.project / ADAPTER)


def check_kept(machine, session):
    """All that is to stay is on Drive, and is what the session trained."""
    digest = sha256(machine.project / ADAPTER)
    assert sha256(machine.outputs / "results/sport_gentra_lora.safetensors") == digest
    assert sha256(machine.downloads / "sport_gentra_lora.safetensors") == digest
    for suffix in (".json", ".png"):  # the card and the picture that A1111 shows of the file
        assert (machine.outputs / "results/sport_gentra_lora").with_suffix(suffix).is_file()
        assert (machine.downloads / "sport_gentra_lora").with_suffix(suffix).is_file()
    assert list(machine.outputs.glob("checkpoints/*/step-*.safetensors"))
    assert (machine.outputs / "history.bundle").is_file()
    for title in ("11.", "Keep the variants"):
        assert "all there" in session.shown(title), session.shown(title)
    compared = session.shown("Compare")
    assert "second: slower (" in compared and "held-out loss" in compared, compared
    assert any("Held-out loss: " in page for page in session.pages("Compare")), "no report"
    record = json.loads((machine.project / "weights/weights.json").read_text())
    assert record["sha256"] == digest and record["commit"] == git(machine.project, "rev-parse", "HEAD")
    assert f"md5: {record['md5']}" in git(machine.project, "show", "HEAD:dvc.lock")
    assert git(machine.project, "status", "--porcelain") == "", git(machine.project, "status", "--porcelain")
    assert git(machine.project, "ls-files", "weights", "generated", "data/raw", ADAPTER) == ""


def again(machine, form, first):
    """On the same machine nothing is made again."""
    session = Session(machine, form, EXECUTED / "2_again.ipynb").run()
    check_not_trained(session)
    check_kept(machine, session)
    assert sha256(machine.project / ADAPTER) == first


def refused(machine, form):
    """The cell that a value is given in stops those after it."""
    try:
        Session(machine, form | {"STEPS": "0"}, EXECUTED / "3_refused.ipynb").run()
    except CellExecutionError as error:
        assert "# @title 6." in str(error), error
    else:
        raise AssertionError("train.steps = 0 was not refused")


def new_machine(machine, form, first):
    """History comes from the bundle and weights from Drive, without training; whatever came to origin meanwhile."""
    theirs = git(machine.origin, "commit-tree", "main^{tree}", "-p", "main", "-m", "Of another person")
    git(machine.origin, "update-ref", "refs/heads/main", theirs)
    machine.renew()
    session = Session(machine, form, EXECUTED / "4_new_machine.ipynb").run()
    check_not_trained(session)
    check_kept(machine, session)
    assert sha256(machine.project / ADAPTER) == first


def check_not_trained(session):
    assert "Stage 'train' didn't change, skipping" in session.shown("8."), session.shown("8.")
    assert "Stage 'prepare' didn't change, skipping" in session.shown("5."), session.shown("5.")


def killed(machine, form):
    """A session that is killed goes on: on the same machine, and on a new one from what is on Drive."""
    Session(machine, form, EXECUTED / "5_killed.ipynb").run_until_killed(20)
    session = Session(machine, form, EXECUTED / "6_killed_again.ipynb").run_until_killed(40)
    assert "going on from step 20 of 60" in session.shown("8."), session.shown("8.")
    machine.renew()
    session = Session(machine, form, EXECUTED / "7_new_machine.ipynb").run()
    assert "going on from step 40 of 60" in session.shown("8."), session.shown("8.")
    check_kept(machine, session)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
