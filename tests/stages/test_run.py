import json
import os
import re
import shutil
import subprocess
import sys
from io import BytesIO, TextIOWrapper

import pytest
import torch

from gentra_lora.stages.prepare import main
from gentra_lora.stages.run import LOWER, PACKAGE, SECONDS_FILE, run, runs_other_code
from tests.conftest import ROOT, change
from tests.dvc_project import command
from tests.workspaces import demo_values

STAGE = "stages:\n  prepare:\n    cmd: python -m gentra_lora.stages.prepare\n    deps: [src]\n    outs: [out.txt]\n"
CODE = "from pathlib import Path\n\nPath('out.txt').write_text({text!r})\n"


def test_seconds_of_each_stage_are_kept_for_the_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("prepare", "train"):
        run(name, lambda: None)
    assert set(json.loads(SECONDS_FILE.read_text())) == {"prepare", "train"}


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_letter_that_the_console_lacks_ends_no_stage(tmp_path, monkeypatch, encoding):
    monkeypatch.chdir(tmp_path)
    console = TextIOWrapper(BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", console)
    run("prepare", lambda: print("моя 'car'", flush=True))
    assert console.buffer.getvalue() == rb"\u043c\u043e\u044f 'car'" + os.linesep.encode()
    assert SECONDS_FILE.exists()


def test_full_disk_ends_a_stage_with_one_line(workspace, capsys):
    def full():
        raise OSError(28, "No space left on device", "data/latents/x")

    with pytest.raises(SystemExit, match="error: data/latents/x: No space left on device; free or name another place"):
        run("cache_latents", full)


@pytest.mark.parametrize(
    ("stage", "way_out"),
    [
        ("prepare", "make the largest photo smaller"),
        ("cache_latents", "lower cache_latents.batch_size"),
        ("train", "lower train.batch_size and raise train.gradient_accumulation_steps"),
        ("evaluate", "lower prepare.resolution"),
    ],
)
def test_too_little_memory_ends_a_stage_with_what_to_lower(workspace, stage, way_out):
    def full():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore lines")

    with pytest.raises(SystemExit) as caught:
        run(stage, full)
    message = str(caught.value)
    assert (
        message.startswith(f"error: {stage}: out of memory (CUDA out of memory.")
        and way_out in message
        and "\n" not in message
    )


def test_what_to_lower_is_in_params_yaml():
    blocks = demo_values()
    for key in re.findall(r"(\w+)\.(\w+)", " ".join(LOWER.values())):
        assert key[1] in blocks[key[0]]


def test_an_error_of_ours_keeps_its_traceback(workspace):
    with pytest.raises(ZeroDivisionError):
        run("train", lambda: 1 / 0)


def test_stage_ends_with_the_message_alone_and_notes_no_time(workspace):
    change(workspace, "train", rank=0)
    with pytest.raises(SystemExit) as caught:
        run("prepare", main)
    assert str(caught.value).startswith("error: params.yaml:")
    assert not (workspace / "reports").exists()
    assert "Traceback" not in str(caught.value)
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("stage", ["prepare", "cache_latents", "train", "evaluate"])
def test_ctrl_c_ends_a_stage_with_one_line_while_it_is_still_imported(tmp_path, stage):
    (tmp_path / "safetensors.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    start = [sys.executable, "-m", f"gentra_lora.stages.{stage}"]
    ended = subprocess.run(start, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert ended.stderr == "stopped by Ctrl-C: this stage is not done; `dvc repro` goes on\n"
    assert ended.returncode != 0


@pytest.fixture
def clone(tmp_path):
    """A small project with a package of the same name, its one stage writes "first"; another copy is installed."""
    (tmp_path / "src/gentra_lora/stages").mkdir(parents=True)
    (tmp_path / "src/gentra_lora/__init__.py").touch()
    (tmp_path / "src/gentra_lora/stages/prepare.py").write_text(CODE.format(text="first"))
    (tmp_path / "dvc.yaml").write_text(STAGE)
    shutil.copy(ROOT / "gentra_lora.py", tmp_path)
    (tmp_path / ".gitignore").write_text("__pycache__\nout.txt\n")
    command(tmp_path, "git", "init", "-q")
    command(tmp_path, "dvc", "init", "-q")
    command(tmp_path, "git", "add", "-A")
    command(tmp_path, "git", "commit", "-qm", "x")
    return tmp_path


def test_stages_of_a_second_clone_and_of_an_experiments_own_folder_run_the_code_there(clone):
    command(clone, "dvc", "repro")
    assert (clone / "out.txt").read_text() == "first"
    (clone / "src/gentra_lora/stages/prepare.py").write_text(CODE.format(text="edited"))
    command(clone, "dvc", "exp", "run", "--temp", "-n", "edited")
    assert command(clone, "dvc", "get", "-q", ".", "out.txt", "--rev", "edited", "-o", "temp.txt") == ""
    assert (clone / "temp.txt").read_text() == "edited"


def test_stage_refuses_other_code_than_that_of_its_project(clone, monkeypatch):
    monkeypatch.chdir(clone)
    assert runs_other_code()
    with pytest.raises(SystemExit, match=f"error: {PACKAGE}: is not the code of this project, {clone}/src/gentra_lora"):
        run("prepare", lambda: None)
    assert not SECONDS_FILE.exists()


def test_equal_code_in_another_place_and_a_folder_without_code_are_accepted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not runs_other_code()
    shutil.copytree(PACKAGE, tmp_path / "src/gentra_lora")
    assert not runs_other_code()


def test_tests_run_the_code_of_their_own_clone():
    assert PACKAGE == ROOT / "src/gentra_lora"
    shown = command(ROOT.parent, sys.executable, "-c", "import gentra_lora; print(gentra_lora.__file__)")
    assert shown.strip() == str(PACKAGE / "__init__.py")
