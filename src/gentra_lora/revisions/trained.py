"""Which revisions and experiments have weights, how they measured, and whether the remote holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs
from dvc.scm import Git, iter_revs

from gentra_lora.drive.folder import DriveFolder, MountedFolder
from gentra_lora.evaluation.scored_run import Metrics
from gentra_lora.revisions.weights import WeightsError, locked_weights, metrics_of

HISTORY = 100  # commits of the current branch that are looked at
NOT_THEIRS = "not of these weights"
SHOWN = ("val_loss", "subject_similarity", "gap_closed", "prompt_match", "drift_in_seeds")


@dataclass
class TrainedRevision:
    """A commit with weights: its names (branches, tags, experiments), the file's md5 and the metrics of the file.

    Where the commit's metrics are of other weights they are not here, and metrics_fault says why.
    """

    commit: str
    names: list[str]
    md5: str
    metrics: Metrics
    metrics_fault: str | None
    in_cache: bool
    on_remote: bool | None = None  # None where there is no remote


def trained_revisions(repo: Repo, folder: MountedFolder | DriveFolder | None) -> list[TrainedRevision]:
    """Return the commits of a repository that have weights and a name, and those that brought new weights.

    Args:
        folder: of its remote, None where it has none.
    """
    named = names_of(repo.scm)
    history = list(iter_revs(repo.scm, revs=["HEAD"], num=-HISTORY))
    rows: dict[str, TrainedRevision] = {}
    for commit in repo.brancher(revs=[*named, *history], workspace=False, sha_only=True):
        try:
            lock = locked_weights(repo, commit)
        except WeightsError:  # from before anything was trained, or a lock in conflict
            continue
        names, md5 = named.get(commit, []), lock["md5"]
        rows[commit] = TrainedRevision(commit, names, md5, *metrics_of(repo), repo.cache.local.exists(md5))
    shown = [row for row in rows.values() if row.names or _brought_new(row, rows, history)]
    if folder:
        present = folder.names()
        for row in shown:
            row.on_remote = row.md5 in present
    return shown


def names_of(scm: Git) -> dict[str, list[str]]:
    """Return {commit: names} of all branches, tags and experiments."""
    named = {commit: list(names) for commit, names in iter_revs(scm, all_branches=True, all_tags=True).items()}
    for ref in exp_refs(scm):
        named.setdefault(scm.get_ref(str(ref)), []).append(ref.name)
    return named


def _brought_new(row: TrainedRevision, rows: Mapping[str, TrainedRevision], history: Sequence[str]) -> bool:
    """Return whether the commit before, in the history from newest to oldest, had other weights or none."""
    place = history.index(row.commit)
    before = rows.get(history[place + 1]) if place + 1 < len(history) else None
    return before is None or before.md5 != row.md5


def table(rows: Sequence[TrainedRevision]) -> list[str]:
    """Return the lines of a table of revisions."""
    head = ["commit", "names", "weights", *SHOWN, "on the remote"]
    cells = [[row.commit[:7], ", ".join(row.names), row.md5[:8], *_numbers(row), _place(row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = (zip(line, widths, strict=True) for line in [head, *cells])
    return ["  ".join(text.ljust(width) for text, width in line).rstrip() for line in lines]


def _place(row: TrainedRevision) -> str:
    if row.on_remote is None:
        return "no remote" if row.in_cache else "no remote, and not in DVC's cache"
    return "yes" if row.on_remote else "no"


def _numbers(row: TrainedRevision) -> list[str]:
    if row.metrics_fault:
        return [NOT_THEIRS, *["-"] * (len(SHOWN) - 1)]
    values = [row.metrics.get(name) for name in SHOWN]
    return [f"{value:.4f}" if isinstance(value, float | int) else "-" for value in values]
