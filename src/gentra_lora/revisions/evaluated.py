"""The evaluation of the working tree, or of any revision or experiment, from DVC's cache or the remote."""

from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs_by_names

from gentra_lora.errors import first_line
from gentra_lora.evaluation.scored_run import METRICS, SCORES, SETUP, RunError, ScoredRun, parsed_run
from gentra_lora.params import parse_params
from gentra_lora.revisions.weights import label_of, opened, text_of

WORKSPACE = "workspace"


def read_run(root: Path, rev: str) -> ScoredRun:
    """Return the evaluation of a revision of the project in `root`.

    Args:
        rev: "workspace", or as for weights.pull_weights: branch, tag, commit, experiment.

    Raises:
        RunError: nothing was evaluated there, or its scores can be had neither from the cache nor from the remote.
        WeightsError: no such revision.
    """
    if rev == WORKSPACE:
        return _of_files(root)
    with opened(str(root), rev) as repo:
        label = label_of(repo, rev)
        try:
            metrics, params = text_of(repo, METRICS), text_of(repo, "params.yaml")
            setup, scores = (_cached_text(repo, path, label) for path in (SETUP, SCORES))
        except FileNotFoundError as error:
            raise RunError(
                f"{label}: has no {Path(error.filename or METRICS).name}; it was not evaluated, or before such files "
                "were kept: check it out, run `dvc repro` and commit"
            ) from error
        return parsed_run(label, setup, scores, metrics, parse_params(params, f"{label}: params.yaml"))


def _of_files(root: Path) -> ScoredRun:
    try:
        setup, scores, metrics, params = (
            (root / path).read_text(encoding="utf-8") for path in (SETUP, SCORES, METRICS, "params.yaml")
        )
    except FileNotFoundError as error:
        raise RunError(f"{WORKSPACE}: has no {error.filename}; run `dvc repro`") from error
    return parsed_run(WORKSPACE, setup, scores, metrics, parse_params(params, "params.yaml"))


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


def newest_experiments(root: Path, count: int) -> list[str]:
    """Return the names of the newest experiments, the oldest of them first.

    Where there is one too few, HEAD stands before them.

    Raises:
        RunError: there are fewer.
    """
    with Repo(str(root)) as repo:
        found = [name for names in repo.experiments.ls(all_commits=True).values() for name, _ in names]
        times: dict[str, int] = {
            name: repo.scm.resolve_commit(repo.scm.get_ref(_ref(repo, name))).commit_time for name in found
        }
    if len(found) < count - 1 or not found:
        raise RunError(
            f"of {count} experiments there are {len(found)}; `dvc exp run --name NAME -S KEY=VALUE` makes one"
        )
    return ["HEAD", *sorted(found, key=lambda name: times[name])][-count:]


def _ref(repo: Repo, name: str) -> str:
    return str(exp_refs_by_names(repo.scm, {name})[name][0])
