"""The exact weights of a git revision: found in its dvc.lock, fetched, hashed, recorded."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs_by_names
from dvc.repo.open_repo import clean_repos
from dvc.scm import SCM, SCMError
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from gentra_lora.drive.credentials import SERVICE, USER, VARIABLE, read_credentials
from gentra_lora.drive.faults import chain, sentence
from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.remotes import KEY_FILES, folder_url
from gentra_lora.errors import InputError, first_line
from gentra_lora.evaluation.scored_run import METRICS, Metrics
from gentra_lora.revisions.faults import sentence as sentence_of_folder
from gentra_lora.revisions.locked_run import WEIGHTS, LockedFile, Params, metrics_fault, params_in, weights_in
from gentra_lora.whole_file import write_json, write_whole

RECORD = "weights.json"
SECONDS = 600  # that another pull into the same folder is waited for
GIVEN = "gentra-given"  # a name that no repository has: DVC adds the settings to those that it finds under a name
OWN_CACHE = "auto-generated-upstream"  # DVC's name for a local repository's cache, where no remote is set up


class WeightsError(InputError):
    """Weights of a revision that cannot be had, or are not what its dvc.lock says."""


@dataclass(frozen=True)
class Weights:
    """An adapter's file with where it came from; what weights.json beside it holds."""

    file: str
    repo: str
    rev: str
    commit: str
    md5: str
    sha256: str
    size: int
    base: dict[str, Any]  # the block of params
    params: Params  # that made them, by dvc.lock and the file itself
    metrics: Metrics  # of these very weights, else empty
    metrics_fault: str | None  # why the commit's metrics are not theirs


def pull_weights(
    repo: str, rev: str | None, dest: Path, remote: str | None = None, credentials: str | None = None
) -> Weights:
    """Return the weights of a revision, their file and its record put into `dest`.

    What is there already is hashed and taken, without the remote; and where `rev` is its commit, without git as well.

    Args:
        repo: address or path of a git repository, a bare one too.
        rev: branch, tag, commit (7 digits at least), experiment, NAME@VERSION or NAME#STAGE of the artifact; None is
            the default branch, in a local repository HEAD.
        dest: folder; what it held stays where anything fails.
        remote: gdrive:// address or folder, in place of the repository's own remote.
        credentials: key file for it; see `remote_config`.

    Raises:
        WeightsError: no such repository or revision, no weights in its dvc.lock, or not those bytes on the remote.
        DriveError, CredentialsError: the remote cannot be read.
    """
    path = dest / Path(WEIGHTS).name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(".lock"), timeout=SECONDS):  # file and record belong together
            return _pulled(repo, rev, path, remote, credentials)
    except Timeout as error:
        raise WeightsError(
            f"{path.parent}: another pull into it has not ended for {SECONDS} s; end that one"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{error.filename or path}: {error.strerror or error}; free it or name another --dest"
        ) from error


def _pulled(repo: str, rev: str | None, path: Path, remote: str | None, credentials: str | None) -> Weights:
    held = read_record(path)
    sha = rev if rev and re.fullmatch("[0-9a-f]{7,40}", rev) else None
    if held and sha and held.repo == public(repo) and held.commit.startswith(sha):
        return held
    with opened(repo, rev, remote, credentials) as found:
        lock = locked_weights(found, rev)
        fetch(found, lock, path, label_of(found, rev))
        record = record_of(found, repo, rev, lock, path)
    write_json(path.with_name(RECORD), asdict(record), indent=1)
    return record


def read_record(path: Path) -> Weights | None:
    """Return the record beside a file, or None where there are none or the file's bytes are others."""
    try:
        record = Weights(**json.loads(path.with_name(RECORD).read_text(encoding="utf-8")))
        return record if _digest(path, "md5") == record.md5 else None
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def opened(repo: str, rev: str | None, remote: str | None = None, credentials: str | None = None) -> Iterator[Repo]:
    """Open a repository at a revision, on that commit's tree; see `pull_weights`.

    Raises:
        WeightsError: no such repository or revision.
    """
    local = os.path.exists(repo)
    wanted = {"remote": GIVEN, "remote_config": remote_config(remote, credentials)} if remote else {}
    try:
        rev = tag_of_stage(repo, rev) or ("HEAD" if local else None)
        if local:
            _refuse_two(repo, str(rev))
        with _open(repo, rev, wanted) as found:
            if not remote:
                _use_key(found, credentials)
            yield found
    except InputError:
        raise
    except (DvcException, SCMError, ValueError) as error:  # ValueError: DVC's reader of git's own settings
        if local and (told := sentence_of_folder(error, Path(repo).resolve())):
            raise WeightsError(told) from error
        if not isinstance(error, DvcException):
            raise
        reason = next((text for text in map(first_line, reversed(chain(error))) if text), "")
        if not local:  # the address may hold a token
            reason = reason.replace(repo, public(repo))
        raise WeightsError(
            f"{public(repo)} at {rev or 'its default branch'}: {reason}; look at the address, your right to read it, "
            f"and the revision (`gentra-lora weights list`, `git fetch --tags`)"
        ) from error
    finally:
        if not local:
            clean_repos()


def _open(repo: str, rev: str | None, wanted: Mapping[str, Any]) -> Repo:
    """Open a project that lies at the top of its git repository, or in a folder of it, where DVC does not look."""
    folder = _folder_in_git(repo)
    if folder == "/":
        try:
            return Repo.open(repo, rev=rev, **wanted)
        except NotDvcRepoError as error:
            outer = Repo.open(repo, rev=rev, uninitialized=True)
            folders = [path for path, names, _ in outer.fs.walk("/") if ".dvc" in names]
            if len(folders) != 1:
                raise NotDvcRepoError(f"{len(folders)} projects of DVC in it, {', '.join(folders)}") from error
            (folder,) = folders
    else:
        outer = Repo.open(repo, rev=rev, uninitialized=True)
    return Repo(folder, fs=outer.fs, scm=outer.scm, config=outer._config, **wanted)


def _folder_in_git(repo: str) -> str:
    """Return where a local project lies in its git repository, "/" at the top; "/" as well for what is no such path."""
    try:
        root = Path(Repo.find_root(repo)) if os.path.exists(repo) else None
    except NotDvcRepoError:  # a bare repository
        root = None
    return f"/{root.relative_to(SCM(str(root)).root_dir).as_posix()}".removesuffix(".") if root else "/"


def _refuse_two(repo: str, name: str) -> None:
    """Refuse an experiment's name that stands on two commits: DVC takes the one of HEAD, if there is one.

    Raises:
        WeightsError: names the commits.
    """
    with closing(SCM(repo, search_parent_directories=True)) as scm:
        commits = [scm.get_ref(str(ref))[:7] for ref in exp_refs_by_names(scm, {name})[name]]
        known = {*scm.list_branches(), *scm.list_tags()} if len(commits) > 1 else set()
    if len(commits) > 1 and name not in known:
        raise WeightsError(
            f"{name}: experiments of that name stand on {len(commits)} commits, {', '.join(sorted(commits))}; name one "
            "of these"
        )


def _use_key(repo: Repo, credentials: str | None) -> None:
    """Let a key that was given, as a file or in the environment, serve for the repository's own Drive folder."""
    name = repo.config["core"].get("remote")
    url = str(repo.config["remote"].get(name, {}).get("url", ""))
    if url.startswith("gdrive://") and (credentials or VARIABLE in os.environ):
        repo.config["remote"][name] |= remote_config(url, credentials)


def tag_of_stage(repo: str, rev: str | None) -> str | None:
    """Return the commit of the version that stands at a stage, for NAME#STAGE; any other revision as it is."""
    if not rev or rev.count("#") != 1:
        return rev
    name, stage = rev.split("#")
    with Repo.open(repo) as found:
        return found.artifacts.get_rev(name, stage=stage)


def remote_config(remote: str, credentials: str | None) -> dict[str, str | bool]:
    """Return DVC's settings of a remote: a folder, or a gdrive:// address with a key.

    The key is a file, or the text in GDRIVE_CREDENTIALS_DATA where `credentials` is None; both a service account's
    and a log-in will do.
    """
    if not remote.startswith(("gdrive://", "https://")):
        folder = Path(remote).expanduser().resolve()
        if not folder.is_dir():
            raise WeightsError(f"--remote: {remote} is neither a folder nor a gdrive:// address")
        return {"url": str(folder), "verify": False}  # its bytes are hashed here
    key = read_credentials(credentials, SERVICE, USER)
    config: dict[str, str | bool] = {"url": folder_url(remote), "gdrive_use_service_account": key.kind == SERVICE}
    if key.path:
        config[KEY_FILES[key.kind]] = str(key.path)
    return config


def label_of(repo: Repo, rev: str | None) -> str:
    """Return a commit as a person reads it: the name that was asked for and its sha."""
    return f"{rev} ({repo.get_rev()[:7]})" if rev else repo.get_rev()[:7]


def locked_weights(repo: Repo, rev: str | None) -> LockedFile:
    """Return the entry of the weights in a revision's dvc.lock.

    Raises:
        WeightsError: no dvc.lock, one that cannot be read, or one without the weights.
    """
    label = label_of(repo, rev)
    try:
        found = weights_in(text_of(repo, "dvc.lock"))
    except FileNotFoundError as error:
        raise WeightsError(f"{label}: has no dvc.lock; commit the one that `dvc repro` wrote") from error
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"{label}: its dvc.lock cannot be read ({first_line(error)}); after a merge with conflicts, take one side, "
            f"run `dvc repro` and commit"
        ) from error
    if not found:
        raise WeightsError(f"{label}: its dvc.lock has no {WEIGHTS}; it was committed before anything was trained")
    return found


def fetch(repo: Repo, lock: LockedFile, path: Path, label: str) -> None:
    """Put the locked file at `path`, unless its bytes are there; whole, hashed, or not at all.

    Raises:
        WeightsError: not on the remote, or other bytes there.
    """
    if path.exists() and _digest(path, "md5") == lock["md5"]:
        return
    write_whole(path, lambda partial: _download(repo, lock, partial, label))


def _download(repo: Repo, lock: LockedFile, partial: Path, label: str) -> None:
    source, url = f"{label}: {lock['path']}, object {lock['md5']}", _remote_url(repo) or ""
    if on_drive(repo) and not _cached(repo, lock["md5"]):
        open_folder(repo)
    try:
        repo.dvcfs.get_file(lock["path"], str(partial))
    except (DvcException, SCMError):
        raise
    except Exception as error:
        told = sentence(error, url, None) if on_drive(repo) else None
        if not url:
            told = (
                "no remote is set up, and DVC's cache has it not; `gentra-lora weights pull --remote FOLDER`, "
                "or gdrive://ID, names the folder that it was pushed to"
            )
        elif isinstance(error, FileNotFoundError) or told is None:
            told = f"is not on {url} ({first_line(error)}); `gentra-lora drive push` where it was trained"
        raise WeightsError(f"{source}: {told}") from error
    size, md5 = partial.stat().st_size, _digest(partial, "md5")
    if md5 != lock["md5"]:
        raise WeightsError(
            f"{source}: {_place(repo, lock['md5'])} holds other bytes ({size} of {lock.get('size', '?')}, md5 {md5}); "
            f"delete the object there and `gentra-lora drive push` where it was trained"
        )


def _place(repo: Repo, md5: str) -> str:
    """Return where DVC took an object from: its cache comes before the remote."""
    return str(_cached(repo, md5) or _remote_url(repo) or "DVC's cache")


def _cached(repo: Repo, md5: str) -> Path | None:
    """Return the object's path in DVC's cache, None where it is not there; a bare repository has no cache."""
    path = Path(repo.cache.local.oid_to_path(md5)) if repo.cache.local else None
    return path if path and path.exists() else None


def _remote_url(repo: Repo) -> str | None:
    """Return the address of the repository's remote, None where none is set up."""
    name = repo.config["core"].get("remote")
    url = repo.config["remote"].get(name, {}).get("url")
    return None if name == OWN_CACHE or url is None else str(url)


def on_drive(repo: Repo) -> bool:
    """Return whether the repository's remote is on Google Drive."""
    return (_remote_url(repo) or "").startswith("gdrive://")


def metrics_of(repo: Repo, header: Mapping[str, str] | None = None) -> tuple[Metrics, str | None]:
    """Return (metrics, None) of an opened revision's weights, or ({}, why it has none of theirs).

    ({}, None) where nothing was evaluated. `header` is of the weights' file, see `metrics_fault`.
    """
    try:
        text = text_of(repo, METRICS)
        fault = metrics_fault(text_of(repo, "dvc.lock"), {METRICS: text}, header)
        return ({}, fault) if fault else (json.loads(text), None)
    except FileNotFoundError:
        return {}, None
    except ValueError as error:
        return {}, f"{METRICS} is no JSON ({first_line(error)})"


def header_of(path: Path) -> dict[str, str]:
    """Return what an adapter's file says of itself; nothing where it is none."""
    try:
        with safe_open(path, framework="numpy") as opened_file:
            return opened_file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def header_in_cache(repo: Repo, lock: LockedFile) -> dict[str, str]:
    """Return what the locked weights say of themselves, as far as DVC's cache has them; nothing where it has not."""
    path = _cached(repo, lock["md5"])
    return header_of(path) if path else {}


def record_of(repo: Repo, address: str, rev: str | None, lock: LockedFile, path: Path) -> Weights:
    """Return what is recorded of a fetched file."""
    header = header_of(path)
    params = params_in(text_of(repo, "dvc.lock"), header)
    metrics, fault = metrics_of(repo, header)
    return Weights(
        file=path.name,
        repo=public(address),
        rev=rev or "HEAD",
        commit=repo.get_rev(),
        md5=lock["md5"],
        sha256=_digest(path, "sha256"),
        size=path.stat().st_size,
        base=params.get("base", {}),
        params=params,
        metrics=metrics,
        metrics_fault=fault,
    )


def public(address: str) -> str:
    """Return a repository's address without the user and token that it may hold; a path as the whole one."""
    if os.path.exists(address):
        return str(Path(address).resolve())
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else address


def text_of(repo: Repo, name: str) -> str:
    """Return a text file of an opened revision."""
    return repo.fs.read_text(repo.fs.join(repo.root_dir, name), encoding="utf-8")


def _digest(path: Path, name: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest()
