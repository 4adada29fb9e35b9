"""`make demo-docs`: the numbers and the pictures that README.md shows, taken from the last `make demo`.

Writes docs/demo/: metrics.json, grid.png, drift.png and origin.json, which says what they were measured with; then the
table of README.md. Equal runs write equal bytes.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import yaml
from dvc.repo import Repo

from gentra_lora.adapter.provenance import git_state
from gentra_lora.errors import InputError
from gentra_lora.evaluation.scored_run import METRICS, SETUP
from gentra_lora.evaluation.shown.metrics_table import metrics_table
from gentra_lora.params import load_params
from gentra_lora.stages.evaluate import ADAPTER, IMAGES_DIR

DEMO, README = Path("docs/demo"), Path("README.md")
SHEETS = ("grid.png", "drift.png")
PARAMS, PROFILE = Path("params.yaml"), Path("profiles/demo.yaml")
MARK = "<!-- make demo-docs writes this table from docs/demo/metrics.json -->"
TABLE = re.compile(f"({re.escape(MARK)}\n).*?\n\n", re.DOTALL)


class DocsError(InputError):
    """The results that lie here are not those of the demo as git has it."""


def check_demo():
    """Return the commit that the results are of.

    Raises:
        DocsError: other parameters than the demo's, results that are not those of the present files, or files that
            no commit holds.
    """
    if PARAMS.read_bytes() != PROFILE.read_bytes():
        raise DocsError(f"{PARAMS}: is not {PROFILE}; `gentra-lora profile demo`, then `make demo`")
    with Repo() as repo:
        changed = list(repo.status(targets=["dvc.yaml"]))
    if changed:
        raise DocsError(f"{', '.join(changed)}: the results are not those of the files here; `make demo` makes them")
    revision, dirty = git_state([str(PARAMS), *code_and_data()])
    if revision == "unknown" or dirty == "yes":
        raise DocsError("what the stages read is not in git as it is; commit it, then `make demo`")
    return revision


def code_and_data():
    """Return the paths in git that the stages read."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    raw_dir = load_params(PARAMS).prepare.raw_dir
    return sorted({dep.replace("${prepare.raw_dir}", raw_dir) for stage in stages for dep in stage["deps"]})


def origin_of(revision):
    """Return what the results were measured with: commit, hardware, versions, weights."""
    setup = json.loads(Path(SETUP).read_text(encoding="utf-8"))
    outs = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]["train"]["outs"]
    (weights_md5,) = [out["md5"] for out in outs if out["path"] == str(ADAPTER)]
    return {
        "revision": revision,
        "hardware": setup["device"],
        "versions": setup["versions"],
        "weights_md5": weights_md5,
    }


def with_table(text, metrics):
    """Return the text of README.md with the table of the metrics.

    Raises:
        DocsError: it has no place for it.
    """
    head, *rows = [" | ".join(re.split(r"\s{2,}", line.strip())) for line in metrics_table(metrics)]
    table = "\n".join([f"| | {head} |", "|---|---|---|---|", *(f"| {row} |" for row in rows)])
    changed, count = TABLE.subn(lambda found: f"{found[1]}{table}\n\n", text)
    if count != 1:
        raise DocsError(f"{README}: holds the line {MARK} {count} times; write it once, above the table")
    return changed


def main():
    revision = check_demo()
    text = with_table(README.read_text(encoding="utf-8"), json.loads(Path(METRICS).read_text(encoding="utf-8")))
    DEMO.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(METRICS, DEMO / "metrics.json")
    for name in SHEETS:
        shutil.copyfile(IMAGES_DIR / name, DEMO / name)
    (DEMO / "origin.json").write_text(json.dumps(origin_of(revision), indent=2) + "\n", encoding="utf-8")
    README.write_text(text, encoding="utf-8")
    print(f"{DEMO} and the table of {README} are those of {revision}; commit them")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
