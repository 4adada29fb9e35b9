import json
import sys

import pytest

from gentra_lora.stages.prepare import main
from gentra_lora.stages.run import SECONDS_FILE, run
from tests.conftest import change


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


def test_stage_ends_with_the_message_alone_and_notes_no_time(workspace):
    change(workspace, "train", rank=0)
    with pytest.raises(SystemExit) as caught:
        run("prepare", main)
    assert str(caught.value).startswith("error: params.yaml:")
    assert not (workspace / "reports").exists()
    assert "Traceback" not in str(caught.value)
    assert sys.exc_info() == (None, None, None)
