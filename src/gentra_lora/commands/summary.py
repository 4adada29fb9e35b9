"""`gentra-lora summary`: what the last `dvc repro` gave, on one screen."""

import hashlib
import json
import subprocess
from pathlib import Path

import yaml

from gentra_lora.errors import InputError, first_line
from gentra_lora.evaluation.scored_run import METRICS, REPORT
from gentra_lora.evaluation.shown.metrics_table import metrics_table
from gentra_lora.evaluation.shown.words import side_effects
from gentra_lora.revisions.locked_run import WEIGHTS, metrics_fault, weights_in
from gentra_lora.stages.run import SECONDS_FILE


def summary_command() -> None:
    """Print it."""
    print("\n".join(summary_lines()))


def summary_lines() -> list[str]:
    """Return the stages' times, the table of the metrics, what was spoilt, and where the report is.

    Raises:
        InputError: nothing was evaluated here yet, or the metrics cannot be read.
    """
    for path in (METRICS, REPORT):
        if not Path(path).exists():
            raise InputError(f"{path}: nothing to show yet; run `dvc repro`")
    seconds = json.loads(SECONDS_FILE.read_text()) if SECONDS_FILE.exists() else {}
    # No times where DVC brought the outputs from the remote.
    lines = ["", "stage              seconds, when it last ran"] if seconds else []
    lines += [f"  {name:16} {value:7.1f}" for name, value in seconds.items()]
    try:
        metrics = json.loads(Path(METRICS).read_text(encoding="utf-8"))
    except ValueError as error:
        why = f"cannot be read ({first_line(error)}), as after a merge with conflicts"
        raise InputError(f"{METRICS}: {why}; `git checkout --ours {METRICS}`, or `dvc repro`") from error
    lines += ["", *metrics_table(metrics), "", *side_effects(metrics), ""]
    return [*lines, f"report, for any browser: {REPORT}", *other_weights(), *uncommitted_results()]


def other_weights() -> list[str]:
    """Return a line where the metrics are not of the weights that lie here, or dvc.lock is not, or none."""
    try:
        lock = Path("dvc.lock").read_text(encoding="utf-8")
        weights = weights_in(lock)
        fault = metrics_fault(lock, {METRICS: Path(METRICS).read_text(encoding="utf-8")}) if weights else None
        if weights and not fault and Path(WEIGHTS).exists():
            md5 = hashlib.md5(Path(WEIGHTS).read_bytes()).hexdigest()
            if md5 != weights["md5"]:
                fault = f"dvc.lock names md5 {weights['md5'][:8]}, and these are of md5 {md5[:8]}"
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):  # no lock, or one that doctor speaks of
        return []
    return [f"the metrics are not of the weights that lie here: {fault}; run `dvc repro`"] * bool(fault)


def uncommitted_results() -> list[str]:
    """Return a line on results that differ from those in git's HEAD, or none."""
    command = ["git", "diff", "--name-only", "--relative", "HEAD", "--", "dvc.lock", "reports"]
    try:
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):  # no git, or nothing committed yet
        return []
    return [
        f"not committed: {', '.join(names)} (another CPU's numbers differ as much as another seed's, or more). "
        "`git commit -am 'My run'` keeps them, so that `gentra-lora compare HEAD` finds this run; `git checkout "
        "dvc.lock reports` goes back until the next `dvc repro`"
    ] * bool(names)
