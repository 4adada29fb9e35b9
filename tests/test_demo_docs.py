"""bench/demo_docs.py: what README.md shows comes from a demo that git has as it was run."""

import json

import pytest
import yaml
from PIL import Image

from bench.demo_docs import MARK, DocsError, main, with_table
from tests.conftest import demo_values
from tests.dvc_project import command
from tests.scored import SETUP

STAGES = """\
stages:
  train:
    cmd: cp seed.txt models/sport_gentra_lora.safetensors
    deps: ['${prepare.raw_dir}', seed.txt]
    outs: [models/sport_gentra_lora.safetensors]
  evaluate:
    cmd: cp made/metrics.json made/evaluation.json reports && cp -r made/images reports
    deps: [models/sport_gentra_lora.safetensors, made]
    outs: [reports/evaluation.json, reports/images]
    metrics:
      - reports/metrics.json: {cache: false}
"""
METRICS = {"val_loss": 0.03, "val_loss_base": 0.06, "gap_closed": 0.5, "bad_images": 0}
README = f"# A title\n\n{MARK}\n| old |\n|---|\n| 1 |\n\nText after it.\n"
WRITTEN = ("docs/demo/metrics.json", "docs/demo/grid.png", "docs/demo/drift.png", "docs/demo/origin.json", "README.md")


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """A project whose stages copy what is there, run and committed, as the current folder."""
    params = yaml.safe_dump(demo_values())
    files = {"dvc.yaml": STAGES, "params.yaml": params, "profiles/demo.yaml": params, "README.md": README}
    files |= {"seed.txt": "1", "data/demo/captions.txt": "a", "models/.keep": "", "reports/.keep": ""}
    files |= {"made/metrics.json": json.dumps(METRICS), "made/evaluation.json": json.dumps(SETUP)}
    files |= {".gitignore": "/models/*\n/reports/*\n!.keep\n!/reports/metrics.json\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "made/images").mkdir()
    for name, colour in (("grid", "red"), ("drift", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"made/images/{name}.png")
    command(tmp_path, "git", "init", "-q", "-b", "main")
    command(tmp_path, "dvc", "init", "-q")
    command(tmp_path, "dvc", "repro", "-q")
    command(tmp_path, "git", "add", "-A")
    command(tmp_path, "git", "commit", "-qm", "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_metrics_grid_origin_and_table_are_those_of_the_run(demo):
    main()
    assert json.loads((demo / "docs/demo/metrics.json").read_text()) == METRICS
    for name in ("grid.png", "drift.png"):
        assert (demo / "docs/demo" / name).read_bytes() == (demo / "made/images" / name).read_bytes()
    origin = json.loads((demo / "docs/demo/origin.json").read_text())
    assert origin == {
        "revision": command(demo, "git", "rev-parse", "HEAD").strip(),
        "hardware": SETUP["device"],
        "versions": SETUP["versions"],
        "weights_md5": "c4ca4238a0b923820dcc509a6f75849b",
    }
    assert "| held-out loss | 0.0600 | 0.0300 | - |\n" in (demo / "README.md").read_text()


def test_second_time_writes_equal_bytes_after_a_commit_of_them(demo):
    main()
    before = [(demo / name).read_bytes() for name in WRITTEN]
    command(demo, "git", "add", "-A")
    command(demo, "git", "commit", "-qm", "shown")
    main()
    assert [(demo / name).read_bytes() for name in WRITTEN] == before


def refused(demo, words):
    with pytest.raises(DocsError, match=words):
        main()
    assert not (demo / "docs").exists() and (demo / "README.md").read_text() == README


def test_other_parameters_than_the_demos_are_refused(demo):
    (demo / "params.yaml").write_text((demo / "profiles/demo.yaml").read_text().replace("seed: 1", "seed: 2"))
    refused(demo, "params.yaml: is not profiles/demo.yaml")


def test_results_that_are_not_those_of_the_files_are_refused(demo):
    (demo / "reports/metrics.json").write_text("{}")
    refused(demo, "evaluate: the results are not those of the files here")


def test_code_that_no_commit_holds_is_refused(demo):
    (demo / "seed.txt").write_text("2")
    command(demo, "dvc", "repro", "-q")
    refused(demo, "is not in git as it is; commit it")


def test_table_takes_the_place_of_the_old_one_and_nothing_else_changes():
    lines = with_table(README, METRICS).splitlines()
    assert lines[:5] == ["# A title", "", MARK, "| | base | adapter | real |", "|---|---|---|---|"]
    assert lines[5] == "| held-out loss | 0.0600 | 0.0300 | - |"
    assert lines[-2:] == ["", "Text after it."]
    assert with_table(with_table(README, METRICS), METRICS) == with_table(README, METRICS)


@pytest.mark.parametrize("text", ["# A title\n", README + README])
def test_readme_without_one_place_for_the_table_is_refused(text):
    with pytest.raises(DocsError, match="write it once, above the table"):
        with_table(text, METRICS)
