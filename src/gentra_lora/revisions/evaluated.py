"""The evaluation of the working tree, or of any revision or experiment, from DVC's cache or the remote."""

from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from gentra_lora.errors import first_line
from gentra_lora.evaluation.scored_run import METRICS, SCORES, SETUP, RunError, ScoredRun, parsed_run
from gentra_lora.revisions.locked_run import metrics_fault, params_in
from gentra_lora.revisions.weights import header_in_cache, label_of, locked_weights, opened, text_of

WORKSPACE = "workspace"


def read_run(root: Path, rev: str, name: str | None = None) -> ScoredRun:
    """Return the evaluation of a revision of the project in `root`.

    Args:
        rev: "workspace", or as for weights.pull_weights: branch, tag, commit, experiment.
        name: what a person is told in place of `rev`.

    Raises:
        RunError: nothing was evaluated there, or other weights than those of the revision, or its scores can be had
            neither from the cache nor from the remote.
        WeightsError: no such revision, or one without weights.
    """
    if rev == WORKSPACE:
        return _of_files(root)
    with opened(str(root), rev) as repo:
        label = label_of(repo, name or rev)
        try:
            metrics, header = text_of(repo, METRICS), header_in_cache(repo, locked_weights(repo, rev))
            lock = text_of(repo, "dvc.lock")
            _refuse_others(
                label, metrics_fault(lock, {METRICS: metrics}, header), "check it out, run `dvc repro` and commit"
            )
            setup, scores = (_cached_text(repo, path, label) for path in (SETUP, SCORES))
        except FileNotFoundError as error:
            raise RunError(
                f"{label}: has no {Path(error.filename or METRICS).name}; it was not evaluated, or before such files "
                "were kept: check it out, run `dvc repro` and commit"
            ) from error
        return parsed_run(label, setup, scores, metrics, params_in(lock, header))


def _of_files(root: Path) -> ScoredRun:
    names = ("dvc.lock", SETUP, SCORES, METRICS)
    try:
        lock, setup, scores, metrics = ((root / path).read_text(encoding="utf-8") for path in names)
    except FileNotFoundError as error:
        raise RunError(f"{WORKSPACE}: has no {error.filename}; run `dvc repro`") from error
    texts = {SETUP: setup, SCORES: scores, METRICS: metrics}
    _refuse_others(WORKSPACE, metrics_fault(lock, texts), "run `dvc repro`")
    return parsed_run(WORKSPACE, setup, scores, metrics, params_in(lock))


def _refuse_others(label: str, fault: str | None, way_out: str) -> None:
    if fault:
        raise RunError(f"{label}: its evaluation is not of its weights: {fault}; {way_out}")


def _cached_text(repo: Repo, path: str, label: str) -> str:
    """Return the text of an output of a revision."""
    try:
        with repo.dvcfs.open(path, encoding="utf-8", mode="r") as file:
            return file.read()
    except FileNotFoundError as error:
        if repo.dvcfs.exists(path):
            raise RunError(
                f"{label}: {path} is neither in DVC's cache nor on the remote; `gentra-lora drive push` where it was "
                "evaluated"
            ) from error
        raise FileNotFoundError(2, "no such file", path) from error
    except (DvcException, OSError) as error:
        raise RunError(f"{label}: {path} cannot be read ({first_line(error)}); look at the remote") from error


def newest_experiments(root: Path, count: int) -> list[tuple[str, str]]:
    """Return (commit, name) of the newest experiments, the oldest of them first; a name may be there twice.

    Where there is one too few, HEAD stands before them.

    Raises:
        RunError: there are fewer.
    """
    with Repo(str(root)) as repo:
        found = [(commit, name) for names in repo.experiments.ls(all_commits=True).values() for name, commit in names]
        times: dict[str, int] = {commit: repo.scm.resolve_commit(commit).commit_time for commit, _ in found}
    if len(found) < count - 1 or not found:
        raise RunError(
            f"of {count} experiments there are {len(found)}; `dvc exp run --name NAME -S KEY=VALUE` makes one"
        )
    return [("HEAD", "HEAD"), *sorted(found, key=lambda item: times[item[0]])][-count:]
