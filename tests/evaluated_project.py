"""A DVC project whose evaluation depends on its rank, with a history."""

import json

from tests.dvc_project import command
from tests.scored import SETUP, rows_of

STAGE = """\
stages:
  train:
    cmd: python -c "open('models/sport_gentra_lora.safetensors', 'w').write(open('params.yaml').read())"
    params: [train.rank]
    outs: [models/sport_gentra_lora.safetensors]
  evaluate:
    cmd: python evaluate.py
    deps: [models/sport_gentra_lora.safetensors]
    params: [train.rank]
    outs: [reports/scores.jsonl, reports/evaluation.json]
    metrics:
      - reports/metrics.json: {cache: false}
"""
SCRIPT = """\
import json, pathlib, re
rank = int(re.search(r"rank: (\\\\d+)", pathlib.Path("params.yaml").read_text())[1])
made = json.loads(pathlib.Path("made.json").read_text())
pathlib.Path("reports").mkdir(exist_ok=True)
rows = [row | ({"loss": row["loss"] + rank / 1000} if "loss" in row and row["adapter"] else {}) for row in made["rows"]]
pathlib.Path("reports/scores.jsonl").write_text("\\\\n".join(map(json.dumps, rows)))
pathlib.Path("reports/evaluation.json").write_text(json.dumps(made["setup"]))
pathlib.Path("reports/metrics.json").write_text(json.dumps({"val_loss": rank / 1000}))
"""


def make_evaluated(folder):
    """Make the project in a folder: rank 8 is tagged first, 16 is main; thick (32) and wide (64) are experiments."""
    for name in ("reports", "models"):
        (folder / name).mkdir(parents=True)
    command(folder, "git", "init", "-q", "-b", "main")
    command(folder, "dvc", "init", "-q")
    files = {"dvc.yaml": STAGE, "evaluate.py": SCRIPT.replace("\\\\", "\\"), "params.yaml": "train:\n  rank: 8\n"}
    files |= {".gitignore": "/models\n/reports/*\n!/reports/metrics.json\n"}
    files |= {"made.json": json.dumps({"rows": rows_of(key="x"), "setup": SETUP})}
    for name, text in files.items():
        (folder / name).write_text(text)
    for rank in (8, 16):
        (folder / "params.yaml").write_text(f"train:\n  rank: {rank}\n")
        command(folder, "dvc", "repro", "-q")
        command(folder, "git", "add", "-A")
        command(folder, "git", "commit", "-qm", f"rank {rank}")
        if rank == 8:
            command(folder, "git", "tag", "first")
    for name, rank in (("thick", 32), ("wide", 64)):
        command(folder, "dvc", "exp", "run", "-q", "-S", f"train.rank={rank}", "-n", name)
        command(folder, "git", "checkout", "-q", "-f", "main")
        command(folder, "dvc", "checkout", "-q", "--force")
    return folder


PROMPTS = ["a photo of a gentra in the snow", "a photo of a gentra at night"]


def write_reports(folder, sha256, picture=lambda place: f"picture {place}".encode()):
    """Write what an evaluation of the weights with that hash leaves of its prompts: its set-up, and their pictures."""
    images = folder / "reports/images"
    images.mkdir(parents=True)
    setup = {"prompts": PROMPTS, "seeds": [4, 5], "resolution": 64, "num_inference_steps": 3, "guidance_scale": 2.5}
    (folder / "reports/evaluation.json").write_text(json.dumps({"weights_sha256": sha256, **setup}))
    for place, prompt in enumerate(PROMPTS, 1):
        (images / f"prompt_{place}_{prompt.replace(' ', '_')}.png").write_bytes(picture(place))
    (images / "grid.png").write_bytes(b"a sheet")
