"""What git's revisions need of the remote, brought there, brought back, and proved to be there."""

import json
import logging
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.fs import generic
from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs
from dvc.scm import iter_revs
from dvc_data.hashfile.db import get_index

from gentra_lora.drive.faults import sentence, told
from gentra_lora.drive.folder import Folder, md5_of
from gentra_lora.drive.outputs import check_out
from gentra_lora.drive.remotes import DriveError, is_read_only, remote_url
from gentra_lora.errors import first_line, listed


@dataclass(frozen=True)
class Lack:
    """An object that is not on the remote as it must be, or a commit of which it is not known what it needs."""

    name: str  # the object's md5, the commit's sha
    path: str
    reason: str


def revisions(repo: Repo) -> dict[str, str]:
    """Return the commits whose data counts, {sha: label}: HEAD's and those of all branches, tags and experiments."""
    names = iter_revs(repo.scm, all_branches=True, all_tags=True)
    found = {sha: ", ".join(named) for sha, named in names.items()}
    found |= {repo.scm.get_ref(str(ref)): ref.name for ref in exp_refs(repo.scm)}
    return found | {repo.scm.get_rev(): "HEAD"}


def outputs(repo: Repo) -> Iterator[tuple[str, str]]:
    """Yield (path, md5) of each file and folder that the checked-out revision keeps in DVC's cache."""
    for out in repo.index.outs:
        if out.use_cache and out.can_push and out.hash_info:
            yield repo.fs.relpath(out.fs_path, repo.root_dir), out.hash_info.value


def outputs_of_revisions(repo: Repo, unread: list[Lack]) -> Iterator[tuple[str, str]]:
    """Yield (path with the revision's label, md5) of what `revisions` keep.

    Args:
        unread: takes those whose dvc.yaml or dvc.lock DVC cannot read, such as an old tag with a broken one.
    """
    names = revisions(repo)
    for sha in repo.brancher(revs=list(names), workspace=False, sha_only=True):
        try:
            found = list(outputs(repo))
        except DvcException as error:
            unread.append(Lack(sha, names.get(sha, sha), f"cannot be read: {first_line(error)}"))
            continue
        for path, md5 in found:
            yield f"{path} of {names.get(sha, sha)}", md5


def needed(named: Iterable[tuple[str, str]], read: Callable[[str], bytes | None]) -> dict[str, str]:
    """Return {md5: name} of all objects: of (name, md5) pairs and, of folders, their files.

    Args:
        read: gives the list of a folder's md5, JSON, or None where there is none.
    """
    found: dict[str, str] = {}
    for name, md5 in named:
        found.setdefault(md5, name)
    for md5, name in list(found.items()):
        for entry in json.loads((md5.endswith(".dir") and read(md5)) or b"[]"):
            found.setdefault(entry["md5"], f"{name}: {entry['relpath']}")
    return found


def check(repo: Repo, folder: Folder) -> tuple[int, list[Lack]]:
    """Return (number of objects looked at, the Lacks) of what `revisions` need of the remote.

    Each object's bytes are hashed: on a mounted folder here, by Drive itself through its API. Nothing is taken from
    DVC's cache or from what DVC remembers of the remote.
    """
    present, unread = folder.present(), list[Lack]()
    named = outputs_of_revisions(repo, unread)
    wanted = needed(named, lambda md5: None if _lack(md5, "", present) else folder.read(md5))
    lacks = [_lack(md5, name, present) for md5, name in wanted.items()]
    return len(wanted), [*unread, *(lack for lack in lacks if lack)]


def _lack(md5: str, name: str, present: Mapping[str, tuple[int, str]]) -> Lack | None:
    """Return the Lack of an object, or None where its bytes are there."""
    if md5 not in present:
        return Lack(md5, name, "is not there")
    size, found = present[md5]
    if found != md5.removesuffix(".dir"):
        return Lack(md5, name, f"holds {size} other bytes; delete files/md5/{md5[:2]}/{md5[2:]} there")
    return None


def push(repo: Repo, folder: Folder) -> int:
    """Push what all branches, tags and experiments and the workspace need, as far as it is in DVC's cache, with the run
    cache; return how many objects went.

    Also what was lost on the remote since an earlier push: DVC takes a folder's files to be there where its list is.

    Raises:
        DriveError: a service account, which cannot write; or the first fault that is no passing one, at once.
    """
    if is_read_only(repo):
        raise DriveError(
            f"{remote_url(repo)}: a service account can only pull, it has no storage of its own; push by log-in "
            f"(`gentra-lora drive oauth`) or from a mounted folder"
        )
    folder.make_top()
    remote = repo.cloud.get_remote_odb()
    with closing(get_index(remote)) as index:
        index.clear()
    with faults_told(repo, folder):
        push_runs(repo)
        count = repo.push(revs=list(revisions(repo)), all_branches=True, all_tags=True)
        cached, present = repo.cache.local, folder.names()
        wanted = needed(outputs_of_revisions(repo, []), cached_list(repo))
        lost = [md5 for md5 in wanted if md5 not in present and cached.exists(md5)]
        for md5 in lost:
            remote.add(cached.oid_to_path(md5), cached.fs, md5)
    return count + len(lost)


def push_runs(repo: Repo) -> None:
    """Push the entries of the run cache that are not on the remote: DVC itself sends all of them, each time anew."""
    here, there = repo.cache.legacy, repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
    source, target = here.fs.join(here.path, "runs"), there.fs.join(there.path, "runs")
    present = {there.fs.relparts(path, target) for path in (there.fs.find(target) if there.fs.exists(target) else [])}
    for path in here.fs.find(source) if here.fs.exists(source) else []:
        parts = here.fs.relparts(path, source)
        if parts not in present:
            generic.copy(here.fs, path, there.fs, there.fs.join(target, *parts))


def cached_list(repo: Repo) -> Callable[[str], bytes | None]:
    """Return what gives a folder's list from DVC's cache, or None where it is not there."""

    def read(md5: str) -> bytes | None:
        return Path(repo.cache.local.oid_to_path(md5)).read_bytes() if repo.cache.local.exists(md5) else None

    return read


def pull(repo: Repo, folder: Folder) -> int:
    """Pull what the checked-out revision needs, and put it in place; return how many objects came.

    Raises:
        DriveError: the first fault that is no passing one, at once, or objects that are not there as they were pushed;
            what was pulled before stays, and the working files are as they were.
    """
    sources = imported(repo)
    _check_before_fetch(repo, folder, sources)
    with faults_told(repo, folder):
        count = repo.fetch() + fetch_imported(repo, sources)
        wanted = needed(outputs(repo), cached_list(repo))
        lacking = {md5: name for md5, name in wanted.items() if not repo.cache.local.exists(md5)}
        for md5 in lacking.keys() & sources.keys():
            raise DriveError(
                f"{lacking[md5]}: imported from {sources[md5]}, which gives it no more, and not on {remote_url(repo)}; "
                f"`gentra-lora drive push` where it still is, or put a copy there and `dvc add {lacking[md5]}`"
            )
        if lacking:
            raise DriveError(
                f"{remote_url(repo)}: does not hold these as they were pushed: {', '.join(lacking.values())}; see "
                f"`gentra-lora drive check`, and `gentra-lora drive push` where they were made"
            )
        put_in_place(repo)
    return count


def fetch_imported(repo: Repo, md5s: Iterable[str]) -> int:
    """Fetch imports from the remote: DVC asks their source alone, which may be gone. Return how many objects came."""
    remote, cached, wanted, count = repo.cloud.get_remote_odb(), repo.cache.local, [*md5s], 0
    for md5 in wanted:
        if not cached.exists(md5) and remote.exists(md5):
            cached.add(remote.oid_to_path(md5), remote.fs, md5)
            if md5_of(path := Path(cached.oid_to_path(md5))) != md5.removesuffix(".dir"):
                path.unlink()  # other bytes were there, and DVC does not look at them again
                continue
            count += 1
        if md5.endswith(".dir") and cached.exists(md5):
            wanted += [entry["md5"] for entry in json.loads(Path(cached.oid_to_path(md5)).read_bytes())]
    return count


def imported(repo: Repo) -> dict[str, str]:
    """Return {md5: source} of what `dvc import` brought, which DVC fetches there where the remote does not hold it."""
    stages = [stage for stage in repo.index.stages if stage.is_repo_import]
    return {out.hash_info.value: str(stage.deps[0]) for stage in stages for out in stage.outs if out.hash_info}


def _check_before_fetch(repo: Repo, folder: Folder, elsewhere: Container[str]) -> None:
    """Refuse a mounted folder that does not show all of a wanted object yet: DVC would delete it there as corrupt."""
    wanted = {md5: name for md5, name in needed(outputs(repo), cached_list(repo)).items() if md5 not in elsewhere}
    while wanted := {md5: name for md5, name in wanted.items() if not repo.cache.local.exists(md5)}:
        wrong = [name for md5, name in wanted.items() if not folder.holds(md5)]
        if wrong:
            raise DriveError(
                f"{remote_url(repo)}: does not hold these as they were pushed: {', '.join(wrong)}; a mount may not "
                f"show all of it yet; else see `gentra-lora drive check`, and push again where they were made"
            )
        folders = {md5: name for md5, name in wanted.items() if md5.endswith(".dir")}
        wanted = {e["md5"]: f"{name}: {e['relpath']}" for md5, name in folders.items() for e in folder.listed(md5)}


def put_in_place(repo: Repo) -> None:
    """Put what is in DVC's cache into the working folder.

    Raises:
        DriveError: a file there was changed and is in no cache, so that it would be lost.
    """
    if changed := check_out(repo):
        raise DriveError(
            f"{', '.join(map(str, changed))}: changed here and in no cache; move it away, or keep it by `dvc add` or "
            f"`dvc commit`"
        )


@contextmanager
def faults_told(repo: Repo, folder: Folder) -> Iterator[None]:
    """End DVC's work at the first error of one file inside, as a DriveError that says what to do.

    DVC itself logs such an error, tries all other files, and then tells only how many failed.
    """
    url, email = remote_url(repo), getattr(folder, "email", None)
    logger, handler = logging.getLogger("dvc_data"), _FirstFault(url, email)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        with told(url, email):
            yield
    except (DvcException, OSError) as error:
        raise DriveError(f"{url}: {first_line(error)}") from error
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


class _FirstFault(logging.Handler):
    """Raises the error that a record of a failed transfer carries."""

    def __init__(self, url: str, email: str | None) -> None:
        super().__init__(logging.ERROR)
        self.url, self.email = url, email

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = sentence(error, self.url, self.email)
            raise DriveError(text or f"{self.url}: {first_line(error)}") from error


def lacks_told(count: int, lacks: Sequence[Lack]) -> list[str]:
    """Return what a person reads after a check: one line, or one a Lack."""
    if not lacks:
        return [f"{listed(count, 'object')} of branches, tags and experiments: all there, every byte as it was"]
    lines = [f"{lack.path}: {lack.name} {lack.reason}" for lack in lacks]
    return [
        *lines,
        f"{len(lacks)} of {listed(count, 'object')} are not as they must be: `gentra-lora drive push` again",
    ]
