"""What would fail later, looked at now: one Finding each."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

import torch
import yaml
from dvc.repo import Repo
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from packaging.requirements import Requirement

from gentra_lora.base.first_look import look_into
from gentra_lora.base.precision import choose_device, choose_precision
from gentra_lora.base.source import BaseSource
from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.remotes import remote_url
from gentra_lora.errors import InputError, first_line
from gentra_lora.git import git
from gentra_lora.revisions.faults import told
from gentra_lora.revisions.killed_experiment import is_dvc, leftovers
from gentra_lora.revisions.unkept import unkept
from gentra_lora.stages.run import CODE_HERE, PACKAGE, runs_other_code
from gentra_lora.training.optimizers import find_optimizer, package_of

PROJECT = "sport-gentra-lora"
FREE_GB = 5  # latents, checkpoints and one base of SD 1.5's size


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, whether it holds, and what to do where it does not."""

    name: str
    ok: bool
    text: str


def check_versions() -> Finding:
    """Return a Finding on the installed packages against the ranges that this project was tested with."""
    wrong = []
    for line in requires(PROJECT) or []:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is not installed")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} {found} is not in {wanted.specifier}")
    python = f"Python {sys.version.split()[0]}"
    if not metadata(PROJECT)["Requires-Python"]:
        wrong.append("no range of Python")
    if wrong:
        return Finding("versions", False, f"{'; '.join(wrong)}; run `pip install -e .` again")
    return Finding("versions", True, f"{python}, torch {torch.__version__}, all in the tested ranges")


def check_code() -> Finding:
    """Return a Finding on the code that `gentra-lora` runs: this project's, or another copy's that is installed."""
    if runs_other_code():
        way_out = f"this project's is {CODE_HERE.resolve()}; `pip install -e .` here installs it"
        return Finding("code", False, f"gentra-lora runs {PACKAGE}, and {way_out}")
    return Finding("code", True, str(PACKAGE))


def check_device(mixed_precision: str) -> Finding:
    """Return a Finding on the device and the precision that training will take there, with the reason."""
    device = choose_device()
    try:
        _, reason = choose_precision(mixed_precision, device)
    except InputError as error:
        return Finding("device", False, str(error))
    memory = f", {torch.cuda.get_device_properties(0).total_memory / 1e9:.0f} GB" if device.type == "cuda" else ""
    return Finding("device", True, f"{reason}{memory}")


def check_disk(folder: Path) -> Finding:
    """Return a Finding on the space that is left where the work is done."""
    free = shutil.disk_usage(folder).free / 1e9
    text = f"{free:.0f} GB free in {folder}"
    return Finding("disk", free >= FREE_GB, text if free >= FREE_GB else f"{text}; {FREE_GB} are needed, free some")


def check_base_model(source: BaseSource) -> Finding:
    """Return a Finding on the base model: whether it is one, and can be had: as a path, in the hub's cache, at the hub.

    By headers alone: that no weight is missing is known to `gentra-lora base`, `lora` and the stages.
    """
    parts = [(source.model, source.revision, "model_index.json"), (source.vae, source.vae_revision, "config.json")]
    try:
        look_into(source)
        for name, revision, file in parts:
            if name and revision:  # a hub id, as a local path has none
                reach(name, revision, file)
    except (InputError, OSError) as error:  # a file that must not be read, too
        return Finding("base model", False, str(error))
    return Finding("base model", True, " + ".join(name for name, _, _ in parts if name))


def reach(name: str, revision: str, file: str) -> None:
    """Look for a hub model's file in the cache, then at the hub.

    Raises:
        InputError: neither has it.
    """
    if isinstance(try_to_load_from_cache(name, file, revision=revision), str):
        return
    try:
        get_hf_file_metadata(hf_hub_url(name, file, revision=revision), timeout=10)
    except Exception as error:  # of one HTTP library or another, by the hub client's version
        raise InputError(
            f"{name}@{revision[:7]}: is not in the cache, and the hub does not give it ({first_line(error)}); look at "
            f"the connection, the id, and whether the model asks for a log-in"
        ) from error


def check_optimizer(name: str) -> Finding:
    """Return a Finding on the optimizer of params.yaml: whether what it needs is here."""
    try:
        find_optimizer(name)
    except InputError as error:
        return Finding("optimizer", False, str(error))
    return Finding("optimizer", True, f"{name}, of {package_of(name)}")


def check_drive() -> Finding:
    """Return a Finding on the remote: whether it can be reached."""
    try:
        with Repo(".") as repo:
            if not repo.config["core"].get("remote"):
                return Finding("drive", True, "none is set up: photos and weights stay on this machine (docs/drive.md)")
            open_folder(repo)
            return Finding("drive", True, f"{remote_url(repo)} is there")
    except Exception as error:  # whatever the client raises, the other findings are wanted too
        text = first_line(error) if isinstance(error, InputError) else told(error) or first_line(error)
        return Finding("drive", False, text)


def check_kept() -> Finding:
    """Return a Finding on the photos and models: whether git or DVC keeps them for other folders and clones."""
    try:
        with Repo(".") as repo:
            found = unkept(repo)
    except Exception as error:  # as with the drive
        return Finding("photos, base", False, told(error) or first_line(error))
    text = "; ".join(found.values()) or "in git or DVC, where they lie in this folder"
    return Finding("photos, base", not found, text)


def check_git() -> Finding:
    """Return a Finding on the name that commits and experiments are made under."""
    try:
        name, email = (git("config", key) for key in ("user.name", "user.email"))
        head, branch = git("rev-parse", "HEAD"), git("branch", "--show-current")
    except InputError as error:
        return Finding("git", False, str(error))
    if not head:
        return Finding("git", False, "no git repository with a commit here; run in the clone of the project")
    if not name or not email:
        way_out = "`git config user.name NAME` and `git config user.email EMAIL`"
        return Finding("git", False, f"no identity, so nothing can be committed; {way_out}")
    return Finding("git", True, f"{name} <{email}>, {branch or 'no branch'}")


def check_killed() -> Finding:
    """Return a Finding on what a killed `dvc exp run` left behind."""
    try:
        found = leftovers(Path.cwd())
    except InputError as error:
        return Finding("experiments", False, str(error))
    if found:
        return Finding("experiments", False, f"{'; '.join(found)}; `gentra-lora doctor --repair` puts it right")
    return Finding("experiments", True, "no killed one")


def check_queue(folder: Path = Path(".dvc/tmp/exps")) -> Finding:
    """Return a Finding on `dvc queue`: whether a worker or an experiment of it was killed, which DVC never notices."""
    processes = [*folder.glob("celery/dvc-exp-worker-*.json"), *folder.glob("run/*/*.json")]
    if any(map(_was_killed, processes)):
        way_out = "`dvc queue kill NAME` of each that `dvc queue status` calls Running, then `dvc queue start`"
        return Finding("queue", False, f"its worker was killed, and what it ran seems to run for ever; {way_out}")
    return Finding("queue", True, "no worker was killed")


def _was_killed(path: Path) -> bool:
    """Return whether a process that DVC keeps a note of ended without noting how."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return noted["returncode"] is None and not is_dvc(noted["pid"])
    except (OSError, ValueError, KeyError, TypeError):  # being written, or another file of DVC's
        return False


def check_lock(path: Path = Path("dvc.lock")) -> Finding:
    """Return a Finding on dvc.lock: whether DVC can read it."""
    if not path.exists():
        return Finding("dvc.lock", True, "none: nothing is trained yet")
    way_out = "`git checkout dvc.lock` or remove it and run `dvc repro`"
    if fault := _dvc_fault(path, way_out, then=", then `dvc repro`"):
        return Finding("dvc.lock", False, fault)
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        return Finding("dvc.lock", True, ", ".join(stages))
    except (TypeError, KeyError) as error:
        return Finding("dvc.lock", False, f"cannot be read ({first_line(error)}); {way_out}")


def check_tracked() -> Finding:
    """Return a Finding on dvc.yaml and on the .dvc files, which say what DVC tracks: whether DVC can read them."""
    names = dict.fromkeys(git("ls-files", "-z", "--", "*.dvc", "dvc.yaml").split("\0"))
    paths = [Path(name) for name in names if name and Path(name).exists()]
    faults = [(path, fault) for path in paths if (fault := _dvc_fault(path, f"`git checkout {path}`"))]
    text = "; ".join(f"{path}: {fault}" for path, fault in faults)
    return Finding("dvc files", not faults, text or ", ".join(map(str, paths)) or "none")


def _dvc_fault(path: Path, way_out: str, then: str = "") -> str | None:
    """Return why DVC cannot read a file of its own, or None."""
    try:
        text = path.read_text(encoding="utf-8")
        if any(line.startswith(("<<<<<<<", ">>>>>>>")) for line in text.splitlines()):
            sides = f"`git checkout --ours {path}` or `--theirs`{then}"
            return f"holds the marks of a merge with conflicts; take one side: {sides}"
        yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return f"cannot be read ({first_line(error)}); {way_out}"
    return None


def check_python() -> Finding:
    """Return a Finding on the Python that a stage's command, `python -m ...`, is run by: whether it is this one."""
    command = ["python", "-c", "import sys; print(sys.prefix)"]
    way_out = f"activate the environment of {sys.prefix}, so that its `python` comes first"
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding(
            "python", False, f"`python`, which runs the stages, does not run ({first_line(error)}); {way_out}"
        )
    if Path(found).resolve() != Path(sys.prefix).resolve():
        return Finding("python", False, f"`python`, which runs the stages, is that of {found}; {way_out}")
    return Finding("python", True, f"the stages are run by {shutil.which('python')}")
