"""The exact weights of a git revision: found in its dvc.lock, fetched, hashed, recorded."""

import hashlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.open_repo import clean_repos
from dvc.scm import SCMError

from gentra_lora.drive import KEY_FILES, REMOTE, folder_url
from gentra_lora.drive_credentials import SERVICE, USER, VARIABLE, read_credentials
from gentra_lora.drive_faults import sentence
from gentra_lora.drive_folder import open_folder
from gentra_lora.errors import InputError, first_line
from gentra_lora.whole_file import write_whole

WEIGHTS = "models/sport_gentra_lora.safetensors"
RECORD = "weights.json"


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
    base: dict
    params: dict
    metrics: dict


def pull_weights(repo, rev, dest, remote=None, credentials=None):
    """Return the Weights of a revision, their file and its record put into `dest`.

    What is there already is hashed and taken, without the remote; and where `rev` is its commit, without git as well.

    Args:
        repo: address or path of a git repository, a bare one too.
        rev: branch, tag, commit (7 digits at least), experiment, NAME@VERSION or NAME#STAGE of the artifact; None is
            the default branch, in a local repository HEAD.
        dest: Path of a folder; what it held stays where anything fails.
        remote: gdrive:// address or folder, in place of the repository's own remote.
        credentials: key file for it; see `remote_config`.

    Raises:
        WeightsError: no such repository or revision, no weights in its dvc.lock, or not those bytes on the remote.
        DriveError, CredentialsError: the remote cannot be read.
    """
    path = Path(dest) / Path(WEIGHTS).name
    held = read_record(path)
    if held and held.repo == public(repo) and re.fullmatch("[0-9a-f]{7,40}", rev or "") and held.commit.startswith(rev):
        return held
    with opened(repo, rev, remote, credentials) as found:
        lock = locked_weights(found, rev)
        fetch(found, lock, path, label_of(found, rev))
        record = record_of(found, repo, rev, lock, path)
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n"
    write_whole(path.with_name(RECORD), lambda partial: partial.write_text(text, encoding="utf-8"))
    return record


def read_record(path):
    """Return the Weights beside a file, or None where there are none or the file's bytes are others."""
    try:
        record = Weights(**json.loads(path.with_name(RECORD).read_text(encoding="utf-8")))
        return record if _digest(path, "md5") == record.md5 else None
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def opened(repo, rev, remote=None, credentials=None):
    """Open a repository at a revision, as dvc.repo.Repo on that commit's tree; see `pull_weights`.

    Raises:
        WeightsError: no such repository or revision.
    """
    local = os.path.exists(repo)
    wanted = {"remote": REMOTE, "remote_config": remote_config(remote, credentials)} if remote else {}
    try:
        rev = tag_of_stage(repo, rev) or ("HEAD" if local else None)
        with Repo.open(str(repo), rev=rev, **wanted) as found:
            if not remote:
                _use_key(found, credentials)
            yield found
    except (DvcException, SCMError) as error:
        reason = first_line(error).replace(str(repo), public(repo))
        raise WeightsError(f"{public(repo)} at {rev or 'its default branch'}: {reason}") from error
    finally:
        if not local:
            clean_repos()


def _use_key(repo, credentials):
    """Let a key that was given, as a file or in the environment, serve for the repository's own Drive folder."""
    name = repo.config["core"].get("remote")
    url = str(repo.config["remote"].get(name, {}).get("url", ""))
    if url.startswith("gdrive://") and (credentials or VARIABLE in os.environ):
        repo.config["remote"][name] |= remote_config(url, credentials)


def tag_of_stage(repo, rev):
    """Return the commit of the version that stands at a stage, for NAME#STAGE; any other revision as it is."""
    if not rev or rev.count("#") != 1:
        return rev
    name, stage = rev.split("#")
    with Repo.open(str(repo)) as found:
        return found.artifacts.get_rev(name, stage=stage)


def remote_config(remote, credentials):
    """Return DVC's settings of a remote: a folder, or a gdrive:// address with a key.

    The key is a file, or the text in GDRIVE_CREDENTIALS_DATA where `credentials` is None; both a service account's
    and a log-in will do.
    """
    if not remote.startswith("gdrive://"):
        return {"url": str(Path(remote).resolve()), "verify": True}
    key = read_credentials(credentials, SERVICE, USER)
    config = {"url": folder_url(remote), "gdrive_use_service_account": key.kind == SERVICE}
    if key.path:
        config[KEY_FILES[key.kind]] = str(key.path)
    return config


def label_of(repo, rev):
    """Return a commit as a person reads it: the name that was asked for and its sha."""
    return f"{rev} ({repo.get_rev()[:7]})" if rev else repo.get_rev()[:7]


def locked_weights(repo, rev):
    """Return the entry {path, md5, size} of the weights in a revision's dvc.lock.

    Raises:
        WeightsError: no dvc.lock, one that cannot be read, or one without the weights.
    """
    label = label_of(repo, rev)
    try:
        stages = yaml.safe_load(_text(repo, "dvc.lock"))["stages"]
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    except FileNotFoundError as error:
        raise WeightsError(f"{label}: has no dvc.lock; commit the one that `dvc repro` wrote") from error
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"{label}: its dvc.lock cannot be read ({first_line(error)}); after a merge with conflicts, take one side, "
            f"run `dvc repro` and commit"
        ) from error
    for out in outs:
        if out.get("path") == WEIGHTS and out.get("md5"):
            return out
    raise WeightsError(f"{label}: its dvc.lock has no {WEIGHTS}; it was committed before anything was trained")


def fetch(repo, lock, path, label):
    """Put the locked file at `path`, unless its bytes are there; whole, hashed, or not at all.

    Raises:
        WeightsError: not on the remote, or other bytes there.
    """
    if path.exists() and _digest(path, "md5") == lock["md5"]:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: _download(repo, lock, partial, label))


def _download(repo, lock, partial, label):
    source = f"{label}: {lock['path']}, object {lock['md5']}"
    if _remote_url(repo).startswith("gdrive://") and not _cached(repo, lock["md5"]):
        open_folder(repo)
    try:
        repo.dvcfs.get_file(lock["path"], str(partial))
    except (DvcException, SCMError):
        raise
    except Exception as error:
        told = sentence(error, _remote_url(repo), None)
        if isinstance(error, FileNotFoundError) or told is None:
            told = f"is not on {_remote_url(repo)} ({first_line(error)}); `gentra-lora drive push` where it was trained"
        raise WeightsError(f"{source}: {told}") from error
    size, md5 = partial.stat().st_size, _digest(partial, "md5")
    if md5 != lock["md5"]:
        raise WeightsError(
            f"{source}: {_place(repo, lock['md5'])} holds other bytes ({size} of {lock.get('size', '?')}, md5 {md5}); "
            f"delete the object there and `gentra-lora drive push` where it was trained"
        )


def _place(repo, md5):
    """Return where DVC took an object from: its cache comes before the remote."""
    return str(_cached(repo, md5) or _remote_url(repo))


def _cached(repo, md5):
    """Return the object's path in DVC's cache, None where it is not there; a bare repository has no cache."""
    path = Path(repo.cache.local.oid_to_path(md5)) if repo.cache.local else None
    return path if path and path.exists() else None


def _remote_url(repo):
    config = repo.config
    name = config["core"].get("remote")
    return str(config["remote"][name]["url"]) if name else "any remote (none is set up)"


def record_of(repo, address, rev, lock, path):
    """Return the Weights of a fetched file."""
    params = yaml.safe_load(_text(repo, "params.yaml"))
    try:
        metrics = json.loads(_text(repo, "reports/metrics.json"))
    except FileNotFoundError:
        metrics = {}
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
    )


def public(address):
    """Return a repository's address without the user and token that it may hold; a path as the whole one."""
    if os.path.exists(address):
        return str(Path(address).resolve())
    parts = urlsplit(str(address))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else str(address)


def _text(repo, name):
    return repo.fs.read_text(repo.fs.join(repo.root_dir, name), encoding="utf-8")


def _digest(path, name):
    with path.open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest()
