"""A small DVC project with a history: three commits and an experiment, each with other weights."""

import os
import subprocess
import sys
from pathlib import Path

DVC_YAML = """\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh]
    params: [base, train.rank]
    outs: [models/sport_gentra_lora.safetensors, reports/images]
    metrics:
      - reports/metrics.json: {cache: false}
artifacts:
  sport-gentra-lora: {path: models/sport_gentra_lora.safetensors, type: model}
"""
TRAIN = """\
mkdir -p models reports/images
rank=$(sed -n 's/  rank: //p' params.yaml)
echo "weights of rank $rank" > models/sport_gentra_lora.safetensors
echo "grid of rank $rank" > reports/images/grid.png
echo same > reports/images/base.png
echo "{\\"val_loss\\": 0.0$rank, \\"subject_similarity\\": 0.9}" > reports/metrics.json
"""
PARAMS = """\
base:
  model: owner/base
  revision: "0123456789012345678901234567890123456789"
train:
  rank: 8
"""
IDENTITY = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def environment(**values):
    """Return the variables of a process that finds this Python's programs first and may commit."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | IDENTITY | {"PATH": path} | values


def command(folder, *words, check=True, **values):
    """Run a command with this Python's programs first and return what it printed, stdout and stderr together."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(words, cwd=folder, env=environment(**values), text=True, **output)
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def weights_of(rank):
    """Return the bytes that the project's training gives."""
    return f"weights of rank {rank}\n".encode()


def make_history(folder, remote):
    """Make the project in a folder, its objects pushed to a remote folder: ranks 8 (tag first), 16, 32, wide is 64."""
    folder.mkdir(parents=True)
    command(folder, "git", "init", "-q", "-b", "main")
    command(folder, "dvc", "init", "-q")
    (folder / ".dvc/config").write_text(f"[core]\n    remote = drive\n['remote \"drive\"']\n    url = {remote}\n")
    ignored = "/models/sport_gentra_lora.safetensors\n/reports/images\n"
    files = {"dvc.yaml": DVC_YAML, "train.sh": TRAIN, "params.yaml": PARAMS, ".gitignore": ignored}
    for name, text in files.items():
        (folder / name).write_text(text)
    for rank in (8, 16, 32):
        (folder / "params.yaml").write_text(PARAMS.replace("rank: 8", f"rank: {rank}"))
        command(folder, "dvc", "repro", "-q")
        command(folder, "git", "add", "-A")
        command(folder, "git", "commit", "-qm", f"rank {rank}")
        if rank == 8:
            command(folder, "git", "tag", "first")
    command(folder, "dvc", "push", "-q", "--all-commits")
    command(folder, "dvc", "exp", "run", "-q", "-S", "train.rank=64", "-n", "wide")
    command(folder, "git", "checkout", "-q", "-f", "main")
    command(folder, "dvc", "checkout", "-q", "--force")
    return folder
