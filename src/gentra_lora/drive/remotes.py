"""The three ways to one Google Drive folder, as DVC remotes: mounted, by an OAuth log-in, by a service account."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unicodedata import normalize

import psutil
from dvc.repo import Repo

from gentra_lora.drive.credentials import SERVICE, USER, Credentials
from gentra_lora.drive.settings import WholeConfig
from gentra_lora.errors import InputError
from gentra_lora.git import git

REMOTE = "drive"
JOBS = 4  # DVC's default of 4 a core runs into Drive's limit of requests
KEY_FILES = {USER: "gdrive_user_credentials_file", SERVICE: "gdrive_service_account_json_file_path"}
# What a mount of Drive shows at its top: Colab's names, then those of Drive for desktop in its languages.
SYNCED = {
    *("MyDrive", "Shareddrives", "My Drive", "Shared drives", "Мой диск", "Общие диски", "Мій диск", "Спільні диски"),
    *("Meine Ablage", "Geteilte Ablagen", "Mon Drive", "Drive partagés", "Mi unidad", "Unidades compartidas"),
    *("Il mio Drive", "Drive condivisi", "Meu Drive", "Drives compartilhados", "Mijn Drive", "Gedeelde Drives"),
    *("Mój dysk", "Dyski współdzielone", "Můj disk", "Sdílené disky", "Drive'ım", "Ortak Drive'lar", "Oma Drive"),
    *(
        "マイドライブ",
        "共有ドライブ",
        "내 드라이브",
        "공유 드라이브",
        "我的云端硬盘",
        "共享云端硬盘",
        "我的雲端硬碟",
        "共用雲端硬碟",
    ),
}


class DriveError(InputError):
    """A remote that cannot be set up or used as asked."""


def folder_url(text: str) -> str:
    """Return the gdrive:// address of a Drive folder given by its address in a browser, its id or DVC's own form.

    Raises:
        DriveError: none of these.
    """
    in_browser = re.search(r"/folders/([\w-]+)", text)
    plain = re.fullmatch(r"(?:gdrive://)?(root|[\w-]{15,})((?:/[^/]+)*)/?", text)
    if in_browser:
        return f"gdrive://{in_browser[1]}"
    if not plain:
        raise DriveError(f"--folder: {text} is no Drive folder; copy its address from the browser")
    return f"gdrive://{plain[1]}{plain[2]}"


def set_mounted(repo: Repo, folder: Path) -> None:
    """Make a folder of a mounted Drive the remote, in .dvc/config.local.

    Raises:
        DriveError: no folder, or the repository or its cache lie on the mount, where git and DVC lose data.
    """
    folder = folder.resolve()
    if "%(" in str(folder):
        raise DriveError(f"{folder}: DVC's settings cannot hold %( in a path; name another folder")
    if not folder.is_dir():
        raise DriveError(f"{folder}: is no folder; mount Drive and make the folder there first")
    for name, path in (("repository", Path(repo.root_dir)), ("cache", Path(repo.cache.local_cache_dir))):
        if name == "repository" and (top := _git_root(path)) and folder.is_relative_to(top):
            raise DriveError(f"{folder}: lies in the repository, and its files would get into git; name another folder")
        for part in {folder, mount_of(folder)}:
            if path.resolve().is_relative_to(part):
                raise DriveError(
                    f"{path}: the {name} must not be on the mounted Drive ({part}), which loses locks and links; "
                    f"keep it on the machine's own disk, in /content on Colab"
                )
    # verify: a mount may show a file before all of it is there
    _write(repo, "local", {"url": str(folder), "verify": True, "jobs": JOBS})


def mount_of(folder: Path) -> Path:
    """Return the top of the mounted Drive that holds a folder, or the folder itself where there is none to be seen."""
    synced = next((part for part in (folder, *folder.parents) if normalize("NFC", part.name) in SYNCED), None)
    if synced:  # NFC: macOS gives the letters of a name and their marks apart
        return synced.parent if synced.parent.is_mount() else synced
    mounts = {Path(p.mountpoint): p.fstype for p in psutil.disk_partitions(all=True)}
    nearest = next((part for part in (folder, *folder.parents) if part in mounts), folder)
    return nearest if mounts.get(nearest, "").startswith("fuse") else folder


def set_log_in(repo: Repo, url: str, credentials: Credentials) -> None:
    """Make a Drive folder the remote, reached by a log-in with one's own OAuth client.

    The folder's address goes into .dvc/config, to be committed; what is secret into .dvc/config.local.
    """
    client = {f"gdrive_{key}": credentials.fields[key] for key in ("client_id", "client_secret")}
    _set_gdrive(repo, url, credentials, client)


def set_service_account(repo: Repo, url: str, credentials: Credentials) -> None:
    """Make a Drive folder the remote, reached read-only by a service account that it is shared with."""
    _set_gdrive(repo, url, credentials, {"gdrive_use_service_account": True})


def _set_gdrive(repo: Repo, url: str, credentials: Credentials, local: dict[str, Any]) -> None:
    if credentials.path:
        refuse_in_git(credentials.path)
        local[KEY_FILES[credentials.kind]] = str(credentials.path)
    _write(repo, "repo", {"url": url, "jobs": JOBS})
    _write(repo, "local", {"url": url, **local})  # the address again: a commit from before has none in its .dvc/config


def refuse_in_git(path: Path) -> None:
    """Refuse a key in a place where the next `git add` would take it.

    Raises:
        DriveError: it lies in a git repository that does not ignore it.
    """
    if not path.resolve().parent.is_dir() or not (root := _git_root(path.resolve().parent)):
        return
    ignored = subprocess.run(["git", "check-ignore", "-q", str(path.resolve())], cwd=root)
    if ignored.returncode:
        raise DriveError(f"{path}: a key must not get into git; move it out of the repository")


def _git_root(folder: Path) -> Path | None:
    """Return the top of the git repository that a folder lies in, None where it lies in none."""
    found = git("rev-parse", "--show-toplevel", cwd=folder)
    return Path(found) if found else None


@contextmanager
def kept_where_it_fails(repo: Repo) -> Iterator[None]:
    """Give .dvc/config and .dvc/config.local their old contents back where anything inside fails."""
    files = [Path(repo.dvc_dir) / name for name in ("config", "config.local")]
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise


def _write(repo: Repo, level: str, section: dict[str, Any]) -> None:
    ways = ("url", "verify", *(f"gdrive_{key}" for key in ("client_id", "client_secret", "use_service_account")))
    with WholeConfig(repo.dvc_dir, repo.local_dvc_dir).edit(level) as config:
        kept = config["remote"].get(REMOTE, {})  # what a person has set, gdrive_acknowledge_abuse for instance
        kept = {key: value for key, value in kept.items() if key not in (*ways, *KEY_FILES.values())}
        kept = {key: value for key, value in kept.items() if "url" not in section or _fits(key, section["url"])}
        config["remote"][REMOTE] = kept | section
        config["core"]["remote"] = REMOTE
    repo.config.load()


def _fits(key: str, url: str) -> bool:
    return url.startswith("gdrive://") or not key.startswith("gdrive_")


def remote_url(repo: Repo) -> str:
    """Return the address of the project's remote.

    Raises:
        DriveError: none is set up.
    """
    name = repo.config["core"].get("remote")
    if not name:
        raise DriveError(
            "no Drive folder is set up: `gentra-lora drive mount PATH`, `drive oauth` or `drive service-account` "
            "(docs/drive.md says which)"
        )
    if name not in repo.config["remote"]:
        raise DriveError(f"core.remote: {name} is not set up in .dvc/config; `gentra-lora drive ...` does it anew")
    return str(repo.config["remote"][name]["url"])


def is_read_only(repo: Repo) -> bool:
    """Return whether the project's remote is reached by a service account."""
    return bool(repo.config["remote"][repo.config["core"]["remote"]].get("gdrive_use_service_account"))
