import os

import pytest

from gentra_lora.stages.inputs import InputsChangedError, check_unchanged, inputs_of
from gentra_lora.stages.run import run

DVC_YAML = """\
stages:
  train:
    deps: [data, code, "${prepare.raw_dir}", nothing]
    params: [train, prepare.resolution]
"""
PARAMS = "prepare: {raw_dir: raw, resolution: 64}\ntrain: {rank: 8}\nevaluate: {seeds: [1]}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("data/manifest.jsonl", "raw/images/a.jpg", "code/a.py", "code/commands/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / ".dvcignore").write_text("__pycache__\n\n/code/commands\n")
    (tmp_path / "data/large.png").write_bytes(bytes(2_000_000))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, content):
    def edit(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (write("params.yaml", PARAMS.replace("64", "128")), "params.yaml: prepare.resolution (64 then, 128 now)"),
        (write("params.yaml", PARAMS.replace("rank: 8", "rank: 16")), "params.yaml: train"),
        (write("params.yaml", "train: {"), "params.yaml: train; params.yaml: prepare.resolution"),
        (write("data/manifest.jsonl", "other"), "data/manifest.jsonl"),
        (write("code/a.py", "other"), "code/a.py"),
        (write("raw/images/b.jpg", "new"), "raw/images/b.jpg"),
        (write("nothing", "new"), "nothing"),
        (lambda folder: (folder / "raw/images/a.jpg").unlink(), "raw/images/a.jpg"),
        (write("data/large.png", bytes(2_000_001)), "data/large.png"),
    ],
)
def test_what_a_stage_reads_and_another_changes_meanwhile_is_refused_by_name(folder, edit, told):
    before = inputs_of("train")
    edit(folder)
    with pytest.raises(InputsChangedError) as caught:
        check_unchanged(before, inputs_of("train"))
    assert str(caught.value).startswith(f"changed while this stage ran: {told}")
    assert str(caught.value).endswith("put it back or leave it, and run `dvc repro`")


@pytest.mark.parametrize(
    "edit",
    [
        write("params.yaml", PARAMS.replace("[1]", "[2]") + "# a note\n"),
        write("code/commands/b.py", "other"),
        write("code/__pycache__/a.pyc", "other"),
        write("other/file", "new"),
        lambda folder: os.utime(folder / "data/manifest.jsonl", (1, 1)),
    ],
)
def test_what_a_stage_does_not_read_may_change(folder, edit):
    before = inputs_of("train")
    edit(folder)
    check_unchanged(before, inputs_of("train"))


def test_many_changed_files_are_counted(folder):
    before = inputs_of("train")
    for number in range(9):
        write(f"raw/images/{number}.jpg", "new")(folder)
    with pytest.raises(InputsChangedError, match=r"raw/images/4\.jpg, and 4 more\. What it made"):
        check_unchanged(before, inputs_of("train"))


def test_stage_whose_parameters_are_edited_while_it_runs_fails(folder):
    with pytest.raises(SystemExit, match=r"error: changed while this stage ran: params\.yaml: train\."):
        run("train", lambda: write("params.yaml", PARAMS.replace("rank: 8", "rank: 16"))(folder))
    assert not (folder / "reports").exists()
