import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT

NEW, OLD = "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_google_drive_client_can_be_imported():
    done = subprocess.run([sys.executable, "-c", "import pydrive2.fs, dvc_gdrive"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", PROJECT["dependencies"])
def test_installed_version_lies_in_the_stated_range(line):
    requirement = Requirement(line)
    assert version(requirement.name) in requirement.specifier


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(
    ("found", "starts"), [("3.10", False), ("3.11", True), ("3.13", True), ("3.14", False), ("", False)]
)
def test_make_refuses_a_python_that_pip_would_refuse_before_it_makes_an_environment(tmp_path, found, starts):
    assert (found in SpecifierSet(PROJECT["requires-python"]) if found else False) == starts
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "some-python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && echo {found} || touch asked-for-venv\n')
    python.chmod(0o755)
    made = subprocess.run(["make", "demo", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / "asked-for-venv").exists() == starts
    assert (
        starts or f"Python 3.11 to 3.13 is needed, and {python} is {found or 'none'}; name another one" in made.stderr
    )


COLAB = {
    "torch": "2.11.0",
    "diffusers": "0.39.0",
    "transformers": "5.15.0",
    "peft": "0.20.0",
    "accelerate": "1.14.0",
    "safetensors": "0.8.0",
    "numpy": "2.1.3",
    "pillow": "11.3.0",
    "pydantic": "2.13.4",
    "PyYAML": "6.0.3",
    "PyDrive2": "1.21.1",
}


@pytest.mark.parametrize("name", COLAB)
def test_colabs_preinstalled_version_lies_in_the_stated_range(name):
    ranges = {Requirement(line).name.lower(): Requirement(line).specifier for line in PROJECT["dependencies"]}
    assert COLAB[name] in ranges[name.lower()]


def test_torchvision_is_not_needed():
    assert not any(Requirement(line).name == "torchvision" for line in PROJECT["dependencies"])
    assert "torchvision" not in sys.modules


def test_old_torchao_that_peft_refuses_is_not_seen_by_our_processes(tmp_path):
    (tmp_path / "torchao").mkdir()
    (tmp_path / "torchao/__init__.py").write_text("")
    (tmp_path / "torchao-0.10.0.dist-info").mkdir()
    (tmp_path / "torchao-0.10.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchao\nVersion: 0.10.0\n"
    )
    attach = "import torch, peft; peft.get_peft_model(torch.nn.Sequential(torch.nn.Linear(2, 2)), CONFIG)"
    attach = attach.replace("CONFIG", "peft.LoraConfig(target_modules=['0'])")
    for first, works in (("import gentra_lora", True), ("pass", False)):
        command = [sys.executable, "-c", f"{first}; {attach}"]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
        assert (done.returncode == 0) == works, done.stderr
        assert works or "incompatible version of torchao" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="torch knows it on Linux alone")
@pytest.mark.parametrize(
    "set_before, expected", [({}, "expandable_segments:True"), ({NEW: "a"}, "a"), ({OLD: "a"}, "")]
)
def test_gpu_memory_grows_in_pieces_unless_its_owner_says_otherwise(set_before, expected):
    environment = {name: value for name, value in os.environ.items() if name not in (NEW, OLD)}
    code = f"import os, gentra_lora; print(os.environ.get({NEW!r}, ''))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | set_before, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
