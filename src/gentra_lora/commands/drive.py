"""`gentra-lora drive`: the remote on Google Drive set up, filled, emptied and proved."""

import os
import sys
from pathlib import Path

from dvc.repo import Repo

from gentra_lora.drive.credentials import CLIENT, SERVICE, USER, CredentialsError, log_in, read_credentials
from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.objects import check, lacks_told, pull, push
from gentra_lora.drive.remotes import (
    DriveError,
    folder_url,
    kept_where_it_fails,
    refuse_in_git,
    remote_url,
    set_log_in,
    set_mounted,
    set_service_account,
)
from gentra_lora.errors import listed
from gentra_lora.revisions.unkept import unkept


def mount_command(path: Path) -> None:
    """Set the mounted folder up, with files/md5 in it."""
    with Repo(".") as repo, kept_where_it_fails(repo):
        set_mounted(repo, path)
        open_folder(repo).make_top()
        print(f"{remote_url(repo)} is the remote; `gentra-lora drive push` fills it")


def log_in_remote(credentials: str | None, folder: str | None) -> None:
    """Set a Drive folder up for reading and writing, with files/md5 in it."""
    key = read_credentials(credentials, USER)
    with Repo(".") as repo, kept_where_it_fails(repo):
        set_log_in(repo, _url(repo, folder), key)
        open_folder(repo).make_top()
        print(f"{remote_url(repo)} is the remote, by {key.place}; commit .dvc/config, which names the folder")


def service_account_remote(credentials: str | None, folder: str | None) -> None:
    """Set a Drive folder up for reading."""
    key = read_credentials(credentials, SERVICE)
    with Repo(".") as repo, kept_where_it_fails(repo):
        set_service_account(repo, _url(repo, folder), key)
        open_folder(repo)
        print(f"{remote_url(repo)} is the remote, only to pull, by {key.email}")


def _url(repo: Repo, folder: str | None) -> str:
    if folder:
        return folder_url(folder)
    name = repo.config["core"].get("remote")
    url = str(repo.config["remote"].get(name, {}).get("url", ""))
    if not url.startswith("gdrive://"):
        raise DriveError("--folder: give the Drive folder's address, copied from the browser")
    return url


def login_command(client: str, out: Path, paste: bool) -> None:
    """Log in once and write the key file, readable by its owner alone."""
    key = read_credentials(client, CLIENT)
    refuse_in_git(out)
    if out.exists():
        raise CredentialsError(f"--out: {out} is there already; name a new file")
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CredentialsError(f"--out: {out} cannot be written: {error.strerror}") from error
    try:
        text = log_in(key, ask_in_terminal if paste else None)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except BaseException:
        out.unlink()
        raise
    print(f"{out}: the log-in; `gentra-lora drive oauth --credentials {out} --folder ADDRESS` uses it")


def ask_in_terminal(address: str) -> str:
    """Show an address to open and return the one that the browser was sent to, as it was pasted."""
    print(f"1. open in a browser and allow the access:\n\n    {address}\n")
    print("2. the browser then shows that localhost cannot be reached; copy its whole address from the address bar")
    return input("3. paste it here: ")


def push_command() -> None:
    """Push, and tell how many objects went."""
    with Repo(".") as repo:
        count = push(repo, open_folder(repo))
        print(f"pushed {listed(count, 'object')} to {remote_url(repo)}")


def pull_command() -> None:
    """Pull, and tell how many objects came."""
    with Repo(".") as repo:
        found = pull(repo, open_folder(repo))
        print(f"pulled {listed(found, 'object')} from {remote_url(repo)}")


def check_command() -> None:
    """Prove the remote's contents; exit status 1 with the list of what is not as it must be."""
    with Repo(".") as repo:
        count, lacks = check(repo, open_folder(repo))
        loose = unkept(repo)
    print("\n".join([*lacks_told(count, lacks), *loose.values()]))
    sys.exit(1 if lacks or loose else 0)
