"""The real dvc and PyDrive2 against the fake Drive: what they do when all is well, and under each fault."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import pytest
from fake_drive import FakeDrive

PHOTOS = {f"{n}.png": f"photo {n}".encode() for n in range(12)}
WEIGHTS = b"weights " * 1000


@pytest.fixture
def drive():
    with FakeDrive() as drive:
        yield drive


def environment(drive, home):
    """Return the variables of a subprocess: nothing of the user's own git and dvc, no traffic but the drive's."""
    places = ("HOME", "XDG_CACHE_HOME", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    own = {"DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return os.environ | dict.fromkeys(places, str(home)) | own | (drive.environment() if drive else {})


def run(arguments, folder, drive=None, **variables):
    """Return the result of a Python subprocess, all that it printed in stdout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(drive, folder.parent) | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A git and dvc repository with a folder of photos and a weights file in its cache."""
    folder = tmp_path_factory.mktemp("tracked") / "repo"
    (folder / "photos").mkdir(parents=True)
    for name, content in PHOTOS.items():
        (folder / "photos" / name).write_bytes(content)
    (folder / "weights.bin").write_bytes(WEIGHTS)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    for arguments in (["init", "--quiet"], ["add", "--quiet", "photos", "weights.bin"]):
        result = run(["-m", "dvc", *arguments], folder)
        assert result.returncode == 0, result.stdout
    return folder


class Clone:
    """A copy of the repository whose remote is the folder `store` of a drive."""

    def __init__(self, tracked, folder, drive, store, **options):
        self.folder, self.drive, self.store = folder / "repo", drive, store
        shutil.copytree(tracked, self.folder)
        self.config(
            gdrive_client_id=drive.client_id,
            gdrive_client_secret=drive.client_secret,
            gdrive_user_credentials_file=drive.credentials_file(folder / "credentials.json"),
            **options,
        )

    def config(self, **options):
        lines = ["[core]", "analytics = false", "check_update = false", "remote = drive", "['remote \"drive\"']"]
        options = {"url": f"gdrive://{self.store}", "jobs": 4} | options
        lines += [f"{name} = {value}" for name, value in options.items()]
        (self.folder / ".dvc/config.local").write_text("\n".join(lines))

    def objects(self):
        """Return {path in the remote: content} of the cache."""
        cache = self.folder / ".dvc/cache"
        return {p.relative_to(cache).as_posix(): p.read_bytes() for p in cache.rglob("*") if p.is_file()}

    def put_objects(self):
        for path, content in self.objects().items():
            self.drive.put(f"store/{path}", content)

    def empty(self):
        """Leave nothing but what git would have."""
        shutil.rmtree(self.folder / ".dvc/cache")
        shutil.rmtree(self.folder / "photos")
        (self.folder / "weights.bin").unlink()

    def content(self):
        photos = {path.name: path.read_bytes() for path in (self.folder / "photos").glob("*")}
        weights = self.folder / "weights.bin"
        return photos, weights.read_bytes() if weights.exists() else None

    def dvc(self, *arguments):
        return run(["-m", "dvc", *arguments], self.folder, self.drive)


@pytest.fixture
def clone(tracked, tmp_path, drive):
    """A clone with a full cache, the drive empty."""
    return Clone(tracked, tmp_path, drive, drive.folder("store"))


@pytest.fixture
def puller(clone):
    """A clone without a cache, the drive full."""
    clone.put_objects()
    clone.empty()
    return clone


PRELUDE = """
import sys
from pydrive2.fs import GDriveFileSystem
root, credentials, client_id, client_secret = sys.argv[1:5]
options = {"client_id": client_id, "client_secret": client_secret, "client_json_file_path": credentials}
fs = GDriveFileSystem(root, trash_only=False, **options)
"""


def pydrive(drive, folder, code, *arguments):
    """Return the result of code with `fs`, PyDrive2's file system of the user's whole drive."""
    credentials = drive.credentials_file(folder / "credentials.json")
    fixed = ["-c", PRELUDE + code, "root", str(credentials), drive.client_id, drive.client_secret]
    return run([*fixed, *arguments], folder, drive)


def struck(drive):
    return [request for request in drive.requests if request.fault]


@pytest.mark.slow
def test_what_is_pushed_can_be_pulled_elsewhere_page_by_page(tracked, tmp_path):
    with FakeDrive(page_size=3) as drive:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        one = Clone(tracked, tmp_path / "a", drive, drive.folder("store"))
        assert one.dvc("push").returncode == 0
        assert drive.files(one.store) == one.objects()
        other = Clone(tracked, tmp_path / "b", drive, one.store)
        other.empty()
        assert other.dvc("pull").returncode == 0
        assert other.content() == (PHOTOS, WEIGHTS)
        assert any("pageToken" in request.query for request in drive.requests)


def test_a_service_account_pulls_with_nothing_but_gets_and_a_post_of_its_claims(puller, drive):
    drive.share(puller.store, drive.service_account)
    key = drive.service_account_file(puller.folder.parent / "key.json")
    puller.config(gdrive_use_service_account="true", gdrive_service_account_json_file_path=key)
    assert puller.dvc("pull").returncode == 0
    assert puller.content() == (PHOTOS, WEIGHTS)
    sent = {f"{r.method} {r.host}" for r in drive.requests}
    assert sent == {"GET www.googleapis.com", "POST oauth2.googleapis.com"}


def test_a_service_account_sees_nothing_that_was_not_shared(puller, drive):
    key = drive.service_account_file(puller.folder.parent / "key.json")
    puller.config(gdrive_use_service_account="true", gdrive_service_account_json_file_path=key)
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode != 0
    print(result.stdout)
    assert [request.status for request in drive.requests][-1] == 404


def test_a_service_account_cannot_push(clone, drive):
    drive.share(clone.store, drive.service_account)
    key = drive.service_account_file(clone.folder.parent / "key.json")
    clone.config(gdrive_use_service_account="true", gdrive_service_account_json_file_path=key)
    result = clone.dvc("push", "weights.bin")
    print(result.stdout)
    assert result.returncode != 0
    assert "Service Accounts do not have storage quota" in result.stdout
    assert drive.files() == {}


@pytest.mark.parametrize(
    "kind, text", [("storage_quota", "quota has been exceeded"), ("quota", "exceeded their Drive storage")]
)
def test_a_full_drive_ends_the_push_with_its_text_and_is_not_tried_again(clone, drive, kind, text):
    drive.fault(kind, times=None, match="upload")
    result = clone.dvc("push", "weights.bin")
    print(result.stdout)
    assert result.returncode != 0
    assert text in result.stdout
    assert len(struck(drive)) == 1


@pytest.mark.slow
def test_a_push_that_lost_its_connection_leaves_no_half_file_and_the_next_completes_it(clone, drive):
    drive.fault("dropped", match="^PUT")
    result = clone.dvc("push")
    print(result.stdout)
    assert result.returncode != 0
    assert drive.files(clone.store).items() < clone.objects().items()
    assert clone.dvc("push").returncode == 0
    assert drive.files(clone.store) == clone.objects()


@pytest.mark.slow
def test_a_pull_that_lost_its_connection_leaves_no_half_file_and_the_next_completes_it(puller, drive):
    drive.fault("dropped", match="^GET")
    result = puller.dvc("pull")
    print(result.stdout)
    assert result.returncode != 0
    assert puller.dvc("pull").returncode == 0
    assert puller.content() == (PHOTOS, WEIGHTS)


@pytest.mark.slow
def test_a_flagged_object_is_pulled_only_where_the_owner_acknowledges(puller, drive):
    [weights] = [path for path, content in drive.files(puller.store).items() if content == WEIGHTS]
    drive.flag(f"store/{weights}")
    result = puller.dvc("pull", "weights.bin")
    print(result.stdout)
    assert result.returncode != 0
    assert "cannotDownloadAbusiveFile" in result.stdout
    assert puller.dvc("remote", "modify", "--local", "drive", "gdrive_acknowledge_abuse", "true").returncode == 0
    assert puller.dvc("pull", "weights.bin").returncode == 0


def test_pull_refuses_a_tampered_object(puller, drive):
    [weights] = [path for path, content in drive.files(puller.store).items() if content == WEIGHTS]
    drive.tamper(f"store/{weights}", b"junk")
    result = puller.dvc("pull")
    print(result.stdout)
    assert result.returncode != 0
    assert puller.content() == (PHOTOS, None)


def test_pull_reads_across_twin_folders(puller, drive):
    drive.duplicate_folder("store/files/md5")
    assert puller.dvc("pull").returncode == 0
    assert puller.content() == (PHOTOS, WEIGHTS)


def test_credentials_that_expired_are_refreshed_and_saved(puller, drive):
    file = drive.credentials_file(puller.folder.parent / "credentials.json", expired=True)
    assert puller.dvc("pull", "weights.bin").returncode == 0
    assert drive.requests[0].line == "POST oauth2.googleapis.com/token"
    assert json.loads(file.read_text())["access_token"] != "ya29.expired"


def test_revoked_credentials_end_the_pull_at_once(puller, drive):
    drive.credentials_file(puller.folder.parent / "credentials.json", expired=True)
    drive.fault("invalid_grant", times=None)
    start = time.monotonic()
    result = puller.dvc("pull", "weights.bin")
    print(result.stdout)
    assert result.returncode != 0
    assert "Failed to authenticate GDrive" in result.stdout
    assert time.monotonic() - start < 15
    assert len(drive.requests) == 1


def test_an_access_token_that_dies_in_the_middle_is_refreshed(drive, tmp_path):
    drive.put("a/b.bin", b"content")
    drive.fault("unauthorized", match="alt=media")
    result = pydrive(drive, tmp_path, "sys.stdout.write(fs.cat_file('root/a/b.bin').decode())")
    assert result.stdout == "content"
    lines = [f"{request.method} {request.status}" for request in drive.requests]
    assert lines[-3:] == ["GET 401", "POST 200", "GET 206"]


@pytest.mark.parametrize("kind", ["user_rate_limit", "rate_limit", "unavailable"])
def test_pydrive_waits_and_tries_again(drive, tmp_path, kind):
    drive.put("a/b.bin", b"content")
    drive.fault(kind, times=2, match="alt=media")
    start = time.monotonic()
    result = pydrive(drive, tmp_path, "sys.stdout.write(fs.cat_file('root/a/b.bin').decode())")
    assert result.stdout == "content"
    assert len(struck(drive)) == 2
    assert time.monotonic() - start > 0.5 + 0.5 * 1.618


@pytest.mark.parametrize("kind, error", [("too_many_requests", "ApiRequestError"), ("bad_gateway", "JSONDecodeError")])
def test_pydrive_gives_up_at_once(drive, tmp_path, kind, error):
    drive.put("a/b.bin", b"content")
    drive.fault(kind, match="alt=media")
    result = pydrive(drive, tmp_path, "fs.cat_file('root/a/b.bin')")
    assert result.returncode == 1
    assert error in result.stdout.splitlines()[-1]
    assert len(struck(drive)) == 1


def test_a_query_beyond_2048_characters_comes_by_method_override(drive, tmp_path):
    paths = [f"store/{n:02x}/file" for n in range(80)]
    for path in paths:
        drive.put(path, b"")
    result = pydrive(drive, tmp_path, "print(*sorted(fs.find('root/store')))")
    assert result.stdout.split() == [f"root/{path}" for path in paths]
    [long] = [request for request in drive.requests if request.overridden]
    assert long.method == "GET" and long.body_size > 2048


@pytest.mark.slow
def test_a_file_beyond_one_chunk_of_100_mb_goes_up_and_comes_down_in_two(drive, tmp_path):
    (tmp_path / "large").write_bytes(b"end".rjust(100 * 2**20 + 1000, b"\0"))
    code = "fs.put_file('large', 'root/large'); fs.get_file('root/large', 'again')"
    result = pydrive(drive, tmp_path, code)
    assert result.returncode == 0, result.stdout
    assert (tmp_path / "again").read_bytes() == (tmp_path / "large").read_bytes()
    assert [request.status for request in drive.requests if request.method == "PUT"] == [308, 200]
    assert [request.status for request in drive.requests if request.query.get("alt") == "media"] == [206, 206]


CHANGES = """
fs.client.CreateFile({"id": fs._get_item_id("root/a/b.bin")}).Trash()
assert fs.ls("root/a") == ["root/a/c.bin"]
item = next(fs._gdrive_list("title = 'b.bin' and trashed = true"))
item.UnTrash()
fs.mv("root/a/b.bin", "root/a/It's.bin")
assert fs.exists("root/a/It's.bin") and not fs.exists("root/a/it's.bin")
item = fs.client.CreateFile({"id": item["id"]})
item.SetContentString("more content")
item.Upload()
assert fs.info("root/a/It's.bin")["size"] == 12
fs.rm_file("root/a/c.bin")
"""


def test_pydrive_trashes_renames_overwrites_and_deletes(drive, tmp_path):
    drive.put("a/b.bin", b"content")
    drive.put("a/c.bin", b"")
    result = pydrive(drive, tmp_path, CHANGES)
    assert result.returncode == 0, result.stdout
    assert drive.files() == {"a/It's.bin": b"more content"}


LOGIN = """
import sys
from pydrive2.auth import GoogleAuth
settings = {
    "client_config_backend": "file", "client_config_file": sys.argv[1], "oauth_scope": sys.argv[3:],
    "get_refresh_token": True, "save_credentials": True, "save_credentials_backend": "file",
    "save_credentials_file": "saved.json",
}
auth = GoogleAuth(settings=settings)
auth.LocalWebserverAuth(port_numbers=[int(sys.argv[2])], launch_browser=False)
"""


def browser(drive):
    """Return an opener that follows redirects, through the proxy where it is https."""
    variables = drive.environment()
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    proxy = urllib.request.ProxyHandler({"https": variables["HTTPS_PROXY"]})
    return urllib.request.build_opener(proxy, urllib.request.HTTPSHandler(context=context))


def test_the_log_in_goes_by_the_browser_to_saved_credentials(drive, tmp_path):
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    scope = "https://www.googleapis.com/auth/drive"
    command = ["-u", "-c", LOGIN, drive.client_file(tmp_path / "client.json"), str(port), scope]
    variables = environment(drive, tmp_path) | {"GDRIVE_NON_INTERACTIVE": ""}
    with subprocess.Popen(
        [sys.executable, *command], cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True
    ) as login:
        address = next(line.strip() for line in login.stdout if "https://" in line)
        browser(drive).open(address).close()
        assert "Authentication successful" in login.stdout.read()
    assert json.loads((tmp_path / "saved.json").read_text())["refresh_token"].startswith("1//")
    assert [request.status for request in drive.requests] == [302, 200]


def test_no_host_but_googles_is_reached_and_the_attempt_is_logged(drive):
    with pytest.raises(OSError, match="502"):
        browser(drive).open("https://example.com/")
    assert [request.line for request in drive.requests] == ["CONNECT example.com"]


def test_an_unknown_fault_is_refused(drive):
    with pytest.raises(ValueError, match="no fault is called typo; there are user_rate_limit, "):
        drive.fault("typo")
