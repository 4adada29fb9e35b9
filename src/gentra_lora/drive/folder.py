"""What lies in the remote's folder: files/md5/xx/yyy, mounted or through Drive's API, one layout for both."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from dvc.data_cloud import Remote
from dvc.repo import Repo
from pydrive2.files import ApiRequestError

from gentra_lora.drive.credentials import SERVICE, USER, VARIABLE, read_credentials
from gentra_lora.drive.faults import reason_of, told
from gentra_lora.drive.remotes import KEY_FILES, DriveError, remote_url

TOP = ("files", "md5")  # DVC makes these two at its first push, and two first pushes would make each of them twice
BUSY = {"userRateLimitExceeded", "rateLimitExceeded", "backendError", "internalError"}
SECONDS = 120  # without an answer; the client's own is none, and an upload that lost its connection would hang
FOLDER_TYPE = "application/vnd.google-apps.folder"
Answer = TypeVar("Answer")


class MountedFolder:
    """The remote as a folder of this machine."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise DriveError(f"{self.path}: is not there; mount Drive again, or set the remote up anew")

    def make_top(self) -> None:
        """Make files/md5 where it is not there."""
        self.path.joinpath(*TOP).mkdir(parents=True, exist_ok=True)

    def present(self) -> dict[str, tuple[int, str]]:
        """Return {md5 by its name: (size, md5 of what is really there)}."""
        top = self.path.joinpath(*TOP)
        found = {}
        for path in sorted(path for path in top.glob("??/*") if path.is_file()):
            found[f"{path.parent.name}{path.name}"] = (path.stat().st_size, md5_of(path))
        return found

    def names(self) -> set[str]:
        """Return the md5s by which objects are there, their bytes unread."""
        return {f"{path.parent.name}{path.name}" for path in self.path.joinpath(*TOP).glob("??/*")}

    def holds(self, md5: str) -> bool:
        """Return whether an object is there, with the bytes that its name says."""
        path = self._path(md5)
        return path.is_file() and md5_of(path) == md5.removesuffix(".dir")

    def listed(self, md5: str) -> list[dict[str, str]]:
        """Return the entries of a folder's list."""
        return json.loads(self.read(md5))

    def read(self, md5: str) -> bytes:
        """Return an object's bytes."""
        return self._path(md5).read_bytes()

    def _path(self, md5: str) -> Path:
        return self.path.joinpath(*TOP, md5[:2], md5[2:])


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


class DriveFolder:
    """The remote through Drive's API, as DVC's own client reaches it."""

    def __init__(self, remote: Remote, url: str, email: str | None) -> None:
        """Log in and look whether the folder can be seen.

        Args:
            remote: of a gdrive:// address.
            url: that address, and `email` the service account's, for messages.

        Raises:
            DriveError: with what to do; within seconds, nothing is asked.
        """
        os.environ["GDRIVE_NON_INTERACTIVE"] = "1"
        self.url, self.email = url, email
        with told(url, email):
            self.filesystem = remote.fs.fs
            self.filesystem.client.auth.http_timeout = SECONDS
            self._patiently(self.filesystem.client.CreateFile({"id": self.filesystem.root}).FetchMetadata, "title")
            self.path = remote.path
            self.filesystem.ls(self.path)

    def _patiently(self, call: Callable[..., Answer], *args: object) -> Answer:
        for wait in (1, 3):
            try:
                return call(*args)
            except ApiRequestError as error:
                if reason_of(error) not in BUSY:
                    raise
                time.sleep(wait)
        return call(*args)

    def make_top(self) -> None:
        """Make files/md5 where it is not there, once though several may try at the same time.

        Raises:
            DriveError: there are two folders of one name, made by two first pushes.
        """
        with told(self.url, self.email):
            parent = self.filesystem._get_item_id(self.path)
            for name in TOP:
                parent = self._only(name, parent)

    def _named(self, name: str, parent: str) -> list[str]:
        query = f"'{parent}' in parents and title='{name}' and trashed=false and mimeType='{FOLDER_TYPE}'"
        found = self.filesystem.client.ListFile(
            {"q": query, "maxResults": 10, **self.filesystem._list_params}
        ).GetList()
        # By age: whoever made the oldest may have seen it alone and gone on into it.
        return [item["id"] for item in sorted(found, key=itemgetter("createdDate", "id")) if item["title"] == name]

    def _only(self, name: str, parent: str) -> str:
        """Return the id of the one folder of a name, made where there is none."""
        made = None if self._named(name, parent) else self.filesystem._gdrive_create_dir(parent, name)
        for _ in range(20 if made else 5):
            found = self._named(name, parent)
            if len(found) == 1:
                return found[0]
            if made and found and found[0] != made["id"]:  # someone else was quicker, and each side keeps the oldest
                made.Delete()
                made = None
            time.sleep(1)
        raise DriveError(
            f"{self.url}: has {len(found)} folders named {name}, from two first pushes at once; in Drive, move the "
            f"contents of one into the other and delete it, or a mounted Drive will miss what is in it"
        )

    def present(self) -> dict[str, tuple[int, str]]:
        """Return {md5 by its name: (size, md5 of what is there, as Drive has computed it)}."""
        top = "/".join((self.path, *TOP))
        with told(self.url, self.email):
            if not self.filesystem.exists(top):
                return {}
            found = self.filesystem.find(top, detail=True)
        return {"".join(name.split("/")[-2:]): (item["size"], item["checksum"]) for name, item in found.items()}

    def names(self) -> set[str]:
        """Return the md5s by which objects are there."""
        return set(self.present())

    def holds(self, md5: str) -> bool:
        """Leave it to DVC, which hashes what it has loaded and deletes nothing here."""
        return True

    def listed(self, md5: str) -> list[dict[str, str]]:
        """Leave a folder's files to DVC, too."""
        return []

    def read(self, md5: str) -> bytes:
        """Return an object's bytes."""
        with told(self.url, self.email):
            return self.filesystem.open("/".join((self.path, *TOP, md5[:2], md5[2:])), "rb").read()


Folder = MountedFolder | DriveFolder


def open_folder(repo: Repo) -> Folder:
    """Return the folder of a project's remote.

    Raises:
        DriveError: none is set up, or it cannot be reached.
    """
    url = remote_url(repo)
    if not url.startswith("gdrive://"):
        return MountedFolder(url)
    remote = repo.cloud.get_remote()
    kind = SERVICE if remote.config.get("gdrive_use_service_account") else USER
    file = remote.config.get(KEY_FILES[kind])
    key = read_credentials(None if VARIABLE in os.environ or not file else file, kind)  # dvc-gdrive's own order
    return DriveFolder(remote, url, key.email)
