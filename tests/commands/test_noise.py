import json

import pytest
from dvc.utils.serialize import dumps_yaml

from gentra_lora.commands.main import main
from gentra_lora.evaluation.noise_floor import read_noise
from tests.conftest import demo_values
from tests.dvc_project import command
from tests.scored import SETUP, rows_of

STAGE = """\
stages:
  evaluate:
    cmd: python evaluate.py
    params: [train.seed]
    outs: [models/sport_gentra_lora.safetensors, reports/scores.jsonl, reports/evaluation.json]
    metrics:
      - reports/metrics.json: {cache: false}
"""
SCRIPT = """\
import json, pathlib, re, sys
seed = int(re.search(r"train:[\\s\\S]*?  seed: (\\d+)", pathlib.Path("params.yaml").read_text())[1])
if seed == 8:
    sys.exit("error: seed 8 is refused")
for folder in ("reports", "models"):
    pathlib.Path(folder).mkdir(exist_ok=True)
pathlib.Path("models/sport_gentra_lora.safetensors").write_text(f"weights of seed {seed}")
made = json.loads(pathlib.Path("made.json").read_text())
rows = [row | ({"loss": row["loss"] + seed / 1000} if "loss" in row else {}) for row in made["rows"]]
pathlib.Path("reports/scores.jsonl").write_text("\\n".join(map(json.dumps, rows)))
pathlib.Path("reports/evaluation.json").write_text(json.dumps(made["setup"]))
pathlib.Path("reports/metrics.json").write_text(json.dumps({"val_loss": seed / 1000}))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    values = demo_values()
    values["train"]["seed"] = 1
    files = {"dvc.yaml": STAGE, "evaluate.py": SCRIPT, "params.yaml": dumps_yaml(values)}
    files |= {"made.json": json.dumps({"rows": rows_of(), "setup": SETUP})}
    files |= {".gitignore": "/models\n/reports/*\n!/reports/metrics.json\n!/reports/noise.json\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command(tmp_path, "git", "init", "-q", "-b", "main")
    command(tmp_path, "dvc", "init", "-q")
    command(tmp_path, "git", "add", "-A")
    command(tmp_path, "git", "commit", "-qm", "first")
    monkeypatch.chdir(tmp_path)
    for who in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.setenv(f"GIT_{who}_{what}", "a@b")
    return tmp_path


@pytest.mark.slow
def test_spread_of_the_seeds_is_written_and_the_working_tree_left_alone(project, capsys):
    main(["noise"])
    noise = read_noise((project / "reports/noise.json").read_text())
    assert noise.seeds == [1, 2, 3]
    assert noise.setup == SETUP
    assert noise.metrics["val_loss"] == {"mean": 0.002, "sd": 0.001, "values": [0.001, 0.002, 0.003]}
    assert noise.measures["val_loss"] == pytest.approx(0.001)
    assert noise.measures["drift"] == 0
    assert command(project, "git", "status", "--porcelain").split() == ["??", "reports/"]
    assert command(project, "dvc", "exp", "list", "--name-only").strip() == ""
    assert "val_loss  0.0020 +- 0.0010" in capsys.readouterr().out


def test_seed_that_fails_is_named_and_nothing_is_written(project, capfd):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("  seed: 1\n", "  seed: 7\n"))
    with pytest.raises(SystemExit, match="error: seed 8: its run failed, DVC's lines above"):
        main(["noise", "--seeds", "2"])
    assert "seed 8 is refused" in capfd.readouterr().err
    assert not (project / "reports/noise.json").exists()


def test_reason_of_dvcs_own_is_shown(project, capfd):
    (project / "dvc.yaml").write_text(STAGE.replace("    params", "    deps: [nowhere.txt]\n    params"))
    with pytest.raises(SystemExit, match="error: seed 1: its run failed"):
        main(["noise", "--seeds", "2"])
    assert "nowhere.txt" in capfd.readouterr().err


def test_photos_that_its_runs_would_lack_are_told_before_the_first(project, capfd):
    (project / "data/demo").mkdir(parents=True)
    (project / "data/demo/a.png").touch()
    with pytest.raises(SystemExit, match="error: data/demo: 1 file in neither git nor DVC"):
        main(["noise", "--seeds", "2"])
    assert "seed 1" not in capfd.readouterr().out


def test_one_seed_has_no_spread(project, capsys):
    with pytest.raises(SystemExit):
        main(["noise", "--seeds", "1"])
    assert "one run has no spread" in capsys.readouterr().err
