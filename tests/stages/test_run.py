import json
import re
import sys

import pytest
import torch

from gentra_lora.stages.prepare import main
from gentra_lora.stages.run import LOWER, SECONDS_FILE, run
from tests.conftest import change
from tests.workspaces import demo_values


def test_seconds_of_each_stage_are_kept_for_the_summary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("prepare", "train"):
        run(name, lambda: None)
    assert set(json.loads(SECONDS_FILE.read_text())) == {"prepare", "train"}


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
