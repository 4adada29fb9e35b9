"""`gentra-lora noise`: how far equal trainings lie apart that differ in their seed alone."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dvc.repo import Repo

from gentra_lora.errors import InputError
from gentra_lora.evaluation.measures import MEASURES, mean_of
from gentra_lora.evaluation.noise_floor import NoiseFloor, spread_of
from gentra_lora.evaluation.scored_run import NOISE, ScoredRun
from gentra_lora.params import load_params
from gentra_lora.revisions.evaluated import read_run
from gentra_lora.revisions.unkept import unkept
from gentra_lora.whole_file import write_json


def noise_command(seeds: int) -> None:
    """Train and evaluate each seed in a folder of its own, and write what they differ by.

    Raises:
        InputError: photos or a base that the runs would go without, see `unkept`; or one of the runs failed: those that
            ended are not trained again by the next call.
    """
    root = Path(Repo.find_root())
    with Repo(str(root)) as repo:
        if lines := list(unkept(repo).values()):
            raise InputError("; ".join(lines))
    (root / NOISE).parent.mkdir(exist_ok=True)
    first = load_params(root / "params.yaml").train.seed
    trained = range(first, first + seeds)
    noise = noise_of([run_of_seed(root, seed) for seed in trained], trained)
    write_json(root / NOISE, asdict(noise), indent=1)
    width = max(map(len, noise.metrics))
    print("\n".join(f"{key:{width}}  {of['mean']:.4f} +- {of['sd']:.4f}" for key, of in noise.metrics.items()))
    print(f"{NOISE}: {seeds} seeds; commit it, `gentra-lora compare` and the report read it")


def noise_of(runs: Sequence[ScoredRun], seeds: Sequence[int]) -> NoiseFloor:
    """Return the NoiseFloor of ScoredRuns, one for each of the seeds."""
    measures = [{measure.key: mean_of(measure.values(run.rows)) for measure in MEASURES} for run in runs]
    return spread_of(runs[0].setup, seeds, measures, [run.metrics for run in runs])


def run_of_seed(root: Path, seed: int) -> ScoredRun:
    """Return the ScoredRun of params.yaml with another seed; the working tree is left alone.

    It is an experiment while it runs, and DVC's run cache keeps what it made.
    """
    name = f"noise-seed-{seed}"
    dvc = [sys.executable, "-m", "dvc", "exp"]
    # A folder that outlives the experiment's own: a run that is killed goes on, and the base's pictures are shared.
    checkpoints = str((root / os.environ.get("GENTRA_CHECKPOINTS", "checkpoints")).resolve())
    environment = os.environ | {"GENTRA_CHECKPOINTS": checkpoints}
    subprocess.run([*dvc, "remove", "--quiet", name], cwd=root, capture_output=True)  # left by a call that failed
    print(f"seed {seed}", flush=True)
    command = [*dvc, "run", "--temp", "--name", name, "--set-param", f"train.seed={seed}"]
    if subprocess.run(command, cwd=root, env=environment).returncode:
        raise InputError(f"seed {seed}: its run failed, DVC's lines above say at what; mend it and call again")
    try:
        return read_run(root, name)
    finally:
        subprocess.run([*dvc, "remove", "--quiet", name], cwd=root, check=True)
