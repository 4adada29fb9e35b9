import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from gentra_lora.base.model import BaseSource
from gentra_lora.commands import checks as doctor
from tests.base.damage import UNET, cut, damaged
from tests.dvc_project import command


def test_packages_in_their_ranges_pass():
    found = doctor.check_versions()
    assert (found.ok, found.name) == (True, "versions")
    assert sys.version.split()[0] in found.text


def test_package_outside_its_range_is_named_with_the_range(monkeypatch):
    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "0.1" if name == "diffusers" else real(name))
    found = doctor.check_versions()
    assert not found.ok
    assert "diffusers 0.1 is not in" in found.text
    assert "pip install" in found.text


def test_package_that_is_not_there_is_named(monkeypatch):
    real = doctor.version

    def version(name):
        if name == "peft":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    assert "peft is not installed" in doctor.check_versions().text


def test_code_of_another_copy_than_this_projects_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctor.check_code().ok
    (tmp_path / "src/gentra_lora").mkdir(parents=True)
    found = doctor.check_code()
    assert (found.ok, f"this project's is {tmp_path}/src/gentra_lora" in found.text) == (False, True)


def test_device_and_precision_are_told():
    found = doctor.check_device("auto")
    assert found.ok
    assert "float32" in found.text or "fp16" in found.text or "bf16" in found.text


def test_precision_that_the_device_has_not_is_a_fault(monkeypatch):
    monkeypatch.setattr(doctor.torch.cuda, "is_available", lambda: False)
    found = doctor.check_device("fp16")
    assert (found.ok, "fp16 needs a GPU" in found.text) == (False, True)


def test_optimizer_whose_package_is_missing_is_a_fault(monkeypatch):
    assert doctor.check_optimizer("adamw").ok
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    found = doctor.check_optimizer("prodigy")
    assert (found.ok, "pip install prodigyopt" in found.text) == (False, True)


def test_full_disk_is_a_fault(tmp_path, monkeypatch):
    assert doctor.check_disk(tmp_path).text.endswith(f"GB free in {tmp_path}")
    monkeypatch.setattr(doctor, "FREE_GB", 10**9)
    found = doctor.check_disk(tmp_path)
    assert (found.ok, "are needed, free some" in found.text) == (False, True)


def test_base_that_cannot_be_loaded_is_a_fault():
    found = doctor.check_base_model(BaseSource("owner/name"))
    assert (found.ok, "needs its revision" in found.text) == (False, True)


def test_base_that_is_not_whole_is_a_fault(tiny_base, tmp_path):
    found = doctor.check_base_model(damaged(tiny_base, tmp_path, cut(UNET, 4)))
    assert (found.ok, "unet/diffusion_pytorch_model.safetensors is cut" in found.text) == (False, True)


def test_base_that_cannot_be_read_is_a_fault_beside_the_others():
    found = doctor.check_base_model(BaseSource("a" * 300))
    assert (found.ok, "File name too long" in found.text) == (False, True)


HUB = BaseSource("owner/name", "0123456789" * 4)


def test_hub_model_that_is_nowhere_is_a_fault(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    found = doctor.check_base_model(HUB)
    assert not found.ok
    assert "owner/name@0123456: is not in the cache, and the hub does not give it" in found.text


def test_hub_model_in_the_cache_needs_no_hub(monkeypatch):
    monkeypatch.setattr(doctor, "try_to_load_from_cache", lambda name, file, revision: f"/cache/{name}/{file}")
    assert doctor.check_base_model(HUB) == doctor.Finding("base model", True, "owner/name")


def test_drive_is_optional_and_a_folder_that_is_gone_a_fault(project):
    assert doctor.check_drive().ok
    command(project, "dvc", "remote", "modify", "-q", "--local", "drive", "url", "/nowhere/at/all")
    found = doctor.check_drive()
    assert (found.ok, found.text) == (
        False,
        "/nowhere/at/all: is not there; mount Drive again, or set the remote up anew",
    )
    command(project, "dvc", "remote", "remove", "-q", "--local", "drive")
    command(project, "dvc", "remote", "remove", "-q", "drive")
    assert "none is set up" in doctor.check_drive().text


@pytest.fixture
def no_identity(project, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    return project


def test_git_without_an_identity_is_a_fault(no_identity):
    found = doctor.check_git()
    assert (found.ok, "git config user.name" in found.text) == (False, True)
    for key in ("name", "email"):
        subprocess.run(["git", "config", f"user.{key}", "a"], check=True)
    assert doctor.check_git() == doctor.Finding("git", True, "a <a>, main")


def test_folder_without_git_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "no git repository" in doctor.check_git().text


def test_lock_with_the_marks_of_a_conflict_is_a_fault(project):
    assert doctor.check_lock().ok
    (project / "dvc.lock").write_text("<<<<<<< HEAD\na: 1\n=======\nb: 1\n>>>>>>> other\n")
    found = doctor.check_lock()
    assert (found.ok, "take one side" in found.text) == (False, True)


@pytest.mark.parametrize("name", ["data/raw.dvc", "dvc.yaml"])
@pytest.mark.parametrize("text", ["<<<<<<< HEAD\na: 1\n=======\nb: 1\n>>>>>>> other\n", "a: ["])
def test_file_of_dvc_with_a_conflict_or_no_yaml_is_a_fault(project, name, text):
    assert doctor.check_tracked().ok
    (project / "data").mkdir()
    (project / name).write_text(text)
    command(project, "git", "add", "-f", name)
    found = doctor.check_tracked()
    assert (found.ok, found.text.startswith(f"{name}: ")) == (False, True)
    assert "take one side" in found.text or "cannot be read" in found.text


@pytest.mark.parametrize("place", ["celery/dvc-exp-worker-1.json", "run/abc/abc.json"])
@pytest.mark.parametrize(
    ("code", "command", "sound"), [(None, "dvc", True), (None, "other", False), (-9, "other", True)]
)
def test_killed_worker_of_the_queue_is_a_fault(tmp_path, place, code, command, sound):
    (tmp_path / place).parent.mkdir(parents=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()", command], **pipes) as process:
        process.stdout.readline()  # its words can be read from then on
        (tmp_path / place).write_text(json.dumps({"pid": process.pid, "returncode": code}))
        found = doctor.check_queue(tmp_path)
        process.kill()
    assert (found.ok, "`dvc queue kill NAME`" in found.text) == (sound, not sound)


def test_another_python_than_this_one_before_the_stages_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert doctor.check_python().ok
    (tmp_path / "python").write_text("#!/bin/sh\necho /elsewhere\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.check_python().text.startswith("`python`, which runs the stages, is that of /elsewhere; activate")
    (tmp_path / "python").unlink()
    assert "does not run" in doctor.check_python().text


@pytest.mark.parametrize("text", ["", "a: [", "a: 1"])
def test_lock_that_cannot_be_read_is_a_fault(project, text):
    (project / "dvc.lock").write_text(text)
    assert "cannot be read" in doctor.check_lock().text
