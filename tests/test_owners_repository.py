"""The suite is the owner's too: with other photos, parameters, weights and results, committed, its tests pass."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gentra_lora.commands.main import main
from tests.conftest import ROOT, needs_git, write_photos
from tests.dvc_project import command

TESTS = ROOT / "tests"
EDITS = {
    "prepare.trigger_word": "zx niva",
    "evaluate.class_noun": "suv",
    "evaluate.prompts": "[a photo of a zx niva on a road, a photo of a zx niva in the snow]",
    "train.sample_prompts": "[a photo of a zx niva on a road]",
    "train.steps": "40",
    "train.lr_warmup_steps": "4",
}
# Files of tests that name ROOT, and why an owner cannot make them fail.
LEFT_OUT = {
    "base/test_checks.py": "reads the embedded base",
    "base/test_first_look.py": "reads the embedded base",
    "base/test_source.py": "reads the embedded base",
    "colab/run_notebook.py": "runs minutes; makes its own params.yaml",
    "colab/session.py": "reads the notebook",
    "commands/test_doctor.py": "reads a profile that ships and the embedded base",
    "conftest.py": "reads what ships; dvc.yaml by shipped_dvc_yaml",
    "photos/alike/test_bars.py": "reads the demo's photos",
    "photos/alike/test_duplicates.py": "reads the demo's photos",
    "photos/alike/test_excerpts.py": "reads the demo's photos",
    "pictures/test_engine.py": "reads the demo's photos and the embedded base",
    "pictures/test_faults.py": "reads the demo's photos",
    "pictures/test_segmentation.py": "reads the demo's photos",
    "service/test_load.py": "reads the embedded base",
    "service/test_ray.py": "names the folder of the tests",
    "stages/test_evaluate.py": "reads the judge of the demo",
    "stages/test_run.py": "reads src and gentra_lora.py",
    "smoke_sd15.py": "reads a profile that ships",
    "test_dependencies.py": "reads pyproject.toml",
    "test_gitattributes.py": "reads .gitattributes",
    "test_owners_repository.py": "makes the owner's repository",
    "training/test_config.py": "reads src",
    "workspaces.py": "reads what ships; dvc.yaml by shipped_dvc_yaml",
    "test_pipeline.py": "runs minutes; takes .gitignore and src, dvc.yaml by shipped_dvc_yaml",
}


def test_each_file_that_reads_the_repository_is_marked_or_listed_with_a_reason():
    texts = {path.relative_to(TESTS).as_posix(): path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}
    reading = {name for name, text in texts.items() if re.search(r"\bROOT\b", text)}
    marked = {name for name, text in texts.items() if "pytest.mark.repository" in text} - LEFT_OUT.keys()
    assert reading - marked == LEFT_OUT.keys()


@pytest.fixture(scope="module")
def owners_repository(tmp_path_factory, tiny_base):
    """A copy of the working tree in which somebody has trained a subject of his own, all of it committed."""
    folder = tmp_path_factory.mktemp("owner")
    copy_working_tree(folder)
    command(folder, "git", "init", "-q", "-b", "main")
    commit(folder, "the project as it is")
    with contextlib.chdir(folder):
        main(["profile", "sd15_t4"])
        main(["set", *(f"{key}={value}" for key, value in EDITS.items())])
        shutil.copytree(tiny_base, "models/mine")
        main(["base", "models/mine"])
    shutil.copy(folder / "params.yaml", folder / "profiles/mine.yaml")
    write_photos(folder / "data/raw", 6)
    command(folder, "dvc", "add", "-q", "data/raw")
    command(folder, "dvc", "remote", "add", "-q", "--default", "drive", "gdrive://0123456789abcdefghi")
    write_results(folder)
    commit(folder, "another subject")
    return folder


def copy_working_tree(folder):
    """Copy all files that git has, and new ones that it would take, as they are."""
    listed = command(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def write_results(folder):
    """Write what a training of the owner's leaves."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    lock["stages"] = {name: {"cmd": f"another {name}", "outs": []} for name in lock["stages"]}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    (folder / "models/sport_gentra_lora.safetensors").write_bytes(b"another adapter")
    (folder / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.9, "val_loss_base": 0.8, "gap_closed": -1}))
    (folder / "reports/noise.json").write_text("{}\n")
    (folder / "reports/dataset.json").write_text(json.dumps({"photos": 6}))
    (folder / "data/processed").mkdir()
    (folder / "data/processed/manifest.jsonl").write_text("{}\n")


def commit(folder, message):
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-qm", message)


@needs_git
@pytest.mark.slow
def test_tests_that_read_the_repository_pass_in_the_owners(owners_repository):
    marked = [path for path in TESTS.rglob("test_*.py") if "pytest.mark.repository" in path.read_text(encoding="utf-8")]
    names = [path.relative_to(ROOT).as_posix() for path in marked if path != Path(__file__)]
    words = [sys.executable, "-m", "pytest", "-m", "repository", "-p", "no:cacheprovider", *sorted(names)]
    values = os.environ | {"PYTHONPATH": str(owners_repository / "src"), "PYTEST_ADDOPTS": "", "COLUMNS": "120"}
    done = subprocess.run(words, cwd=owners_repository, env=values, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert not command(owners_repository, "git", "status", "--porcelain")
