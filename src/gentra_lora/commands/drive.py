"""`gentra-lora drive`: the remote on Google Drive set up, filled, emptied and proved."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCMError

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
from gentra_lora.errors import first_line, listed


def add_to(commands):
    """Add the command with its own commands to a parser's."""
    group = commands.add_parser("drive", help="photos and weights on Google Drive: docs/drive.md")
    ways = group.add_subparsers(required=True, metavar="COMMAND")

    mount = ways.add_parser("mount", help="a folder of a mounted Drive is the remote")
    mount.add_argument("path", type=Path)
    mount.set_defaults(command=mount_command)

    for name, text, command in (
        ("oauth", "a Drive folder is the remote, by a log-in with your own OAuth client", log_in_remote),
        ("service-account", "a Drive folder is the remote, only to pull, by a service account", service_account_remote),
    ):
        way = ways.add_parser(name, help=text)
        way.add_argument("--credentials", help="key file; else the text in GDRIVE_CREDENTIALS_DATA")
        way.add_argument("--folder", help="the folder's address in the browser or its id (the remote's own)")
        way.set_defaults(command=command)

    login = ways.add_parser("login", help="make the key file for `drive oauth`, once")
    login.add_argument("--client", required=True, help="JSON of an OAuth client of the type Desktop app")
    login.add_argument("--out", type=Path, required=True, help="key file to write, outside of the repository")
    login.add_argument("--paste", action="store_true", help="the browser is on another machine: paste its address")
    login.set_defaults(command=login_command)

    for name, text, command in (
        ("push", "push what branches, tags, experiments and the workspace need", push_command),
        ("pull", "pull what the checked-out revision needs", pull_command),
        ("check", "prove that all that HEAD and the experiments need is on the remote", check_command),
    ):
        ways.add_parser(name, help=text).set_defaults(command=command)


@contextmanager
def project():
    """Open the DVC project of the current folder.

    Raises:
        DriveError: there is none, or git or DVC cannot read it.
    """
    try:
        with Repo(".") as repo:
            yield repo
    except NotDvcRepoError as error:
        raise DriveError(f"{Path.cwd()}: is no clone of this project; run the command in one") from error
    except (DvcException, SCMError) as error:
        raise DriveError(f"{Path.cwd()}: {first_line(error)}; `gentra-lora doctor` looks at it") from error


def mount_command(args):
    """Set the mounted folder up, with files/md5 in it."""
    with project() as repo, kept_where_it_fails(repo):
        set_mounted(repo, args.path)
        open_folder(repo).make_top()
        print(f"{remote_url(repo)} is the remote; `gentra-lora drive push` fills it")


def log_in_remote(args):
    """Set a Drive folder up for reading and writing, with files/md5 in it."""
    key = read_credentials(args.credentials, USER)
    with project() as repo, kept_where_it_fails(repo):
        set_log_in(repo, _url(repo, args.folder), key)
        open_folder(repo).make_top()
        print(f"{remote_url(repo)} is the remote, by {key.place}; commit .dvc/config, which names the folder")


def service_account_remote(args):
    """Set a Drive folder up for reading."""
    key = read_credentials(args.credentials, SERVICE)
    with project() as repo, kept_where_it_fails(repo):
        set_service_account(repo, _url(repo, args.folder), key)
        open_folder(repo)
        print(f"{remote_url(repo)} is the remote, only to pull, by {key.email}")


def _url(repo, folder):
    if folder:
        return folder_url(folder)
    name = repo.config["core"].get("remote")
    url = str(repo.config["remote"].get(name, {}).get("url", ""))
    if not url.startswith("gdrive://"):
        raise DriveError("--folder: give the Drive folder's address, copied from the browser")
    return url


def login_command(args):
    """Log in once and write the key file, readable by its owner alone."""
    client = read_credentials(args.client, CLIENT)
    refuse_in_git(args.out)
    if args.out.exists():
        raise CredentialsError(f"--out: {args.out} is there already; name a new file")
    try:
        handle = os.open(args.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CredentialsError(f"--out: {args.out} cannot be written: {error.strerror}") from error
    try:
        text = log_in(client, ask_in_terminal if args.paste else None)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except BaseException:
        args.out.unlink()
        raise
    print(f"{args.out}: the log-in; `gentra-lora drive oauth --credentials {args.out} --folder ADDRESS` uses it")


def ask_in_terminal(address):
    """Show an address to open and return the one that the browser was sent to, as it was pasted."""
    print(f"1. open in a browser and allow the access:\n\n    {address}\n")
    print("2. the browser then shows that localhost cannot be reached; copy its whole address from the address bar")
    return input("3. paste it here: ")


def push_command(_):
    """Push, and tell how many objects went."""
    with project() as repo:
        count = push(repo, open_folder(repo))
        print(f"pushed {listed(count, 'object')} to {remote_url(repo)}")


def pull_command(_):
    """Pull, and tell how many objects came."""
    with project() as repo:
        found = pull(repo, open_folder(repo))
        print(f"pulled {listed(found, 'object')} from {remote_url(repo)}")


def check_command(_):
    """Prove the remote's contents; exit status 1 with the list of what is not as it must be."""
    with project() as repo:
        count, lacks = check(repo, open_folder(repo))
    print("\n".join(lacks_told(count, lacks)))
    sys.exit(1 if lacks else 0)
