"""The real dvc and PyDrive2 against the fake Drive: what they do when all is well, and under each fault."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.fake_drive import FakeDrive
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow
PHOTOS = {f"{n}.png": f"photo {n}".encode() for n in range(12)}
WEIGHTS = b"weights " * 1000
SCOPE = "https://www.googleapis.com/auth/drive"


@pytest.fixture
def drive(request):
    """A drive with the arguments that the test gives it as a parameter."""
    with FakeDrive(**getattr(request, "param", {})) as drive:
        yield drive


def environment(drive, home):
    """Return the variables of a subprocess: nothing of the user's own git and dvc, no traffic but the drive's."""
    places = ("HOME", "XDG_CACHE_HOME", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    own = {"DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return os.environ | dict.fromkeys(places, str(home)) | own | (drive.environment() if drive else {})


def run(arguments, folder, drive=None):
    """Return the result of a Python subprocess, all that it printed in stdout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(drive, folder.parent),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
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

    def __init__(self, tracked, folder, drive, store):
        self.folder, self.drive, self.store = folder / "repo", drive, store
        self.credentials = drive.credentials_file(folder / "credentials.json")
        shutil.copytree(tracked, self.folder)
        self.log_in(
            gdrive_client_id=drive.client_id,
            gdrive_client_secret=drive.client_secret,
            gdrive_user_credentials_file=self.credentials,
        )

    def log_in(self, **options):
        lines = ["[core]", "analytics = false", "check_update = false", "remote = drive", "['remote \"drive\"']"]
        options = {"url": f"gdrive://{self.store}", "jobs": 4} | options
        lines += [f"{name} = {value}" for name, value in options.items()]
        (self.folder / ".dvc/config.local").write_text("\n".join(lines))

    def log_in_as_service_account(self, drive_of_key=None):
        key = (drive_of_key or self.drive).service_account_file(self.folder.parent / "key.json")
        self.log_in(gdrive_use_service_account="true", gdrive_service_account_json_file_path=key)

    def objects(self):
        """Return {path in the remote: content} of the cache."""
        cache = self.folder / ".dvc/cache"
        return {path.relative_to(cache).as_posix(): path.read_bytes() for path in cache.rglob("*") if path.is_file()}

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
    for path, content in clone.objects().items():
        clone.drive.put(f"store/{path}", content)
    clone.empty()
    return clone


@pytest.fixture
def weights_path(puller):
    [path] = [path for path, content in puller.drive.files().items() if content == WEIGHTS]
    return path


PRELUDE = """
import sys
from pydrive2.fs import GDriveFileSystem
root, credentials, client_id, client_secret = sys.argv[1:5]
options = {"client_id": client_id, "client_secret": client_secret, "client_json_file_path": credentials}
fs = GDriveFileSystem(root, trash_only=False, **options)
"""
READ = "sys.stdout.write(fs.cat_file('root/a/b.bin').decode())"


def pydrive(drive, folder, code):
    """Return the result of code with `fs`, PyDrive2's file system of the user's whole drive."""
    credentials = drive.credentials_file(folder / "credentials.json")
    return run(["-c", PRELUDE + code, "root", str(credentials), drive.client_id, drive.client_secret], folder, drive)


def struck(drive):
    return [request for request in drive.requests if request.fault]


def test_what_is_pushed_can_be_pulled_elsewhere(clone, tracked, tmp_path_factory, drive):
    assert clone.dvc("push").returncode == 0
    assert drive.files(clone.store) == clone.objects()
    other = Clone(tracked, tmp_path_factory.mktemp("other"), drive, clone.store)
    other.empty()
    assert other.dvc("pull").returncode == 0
    assert other.content() == (PHOTOS, WEIGHTS)


def test_a_service_account_pulls_with_nothing_but_gets_and_a_post_of_its_claims(puller, drive):
    drive.share(puller.store, drive.service_account)
    puller.log_in_as_service_account()
    assert puller.dvc("pull").returncode == 0
    assert puller.content() == (PHOTOS, WEIGHTS)
    assert {f"{r.method} {r.host}" for r in drive.requests} == {"GET www.googleapis.com", "POST oauth2.googleapis.com"}


def test_a_service_account_sees_nothing_that_was_not_shared(puller, drive):
    puller.log_in_as_service_account()
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert f"File not found: {puller.store}" in result.stdout


def test_a_service_account_needs_the_key_that_google_knows(puller, drive):
    with FakeDrive() as other:
        drive.service_account_file(puller.folder.parent / "key.json")
        puller.log_in_as_service_account(other)
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert "invalid_grant: Invalid JWT Signature." in result.stdout


def test_a_service_account_cannot_push(clone, drive):
    drive.share(clone.store, drive.service_account)
    clone.log_in_as_service_account()
    result = clone.dvc("push", "weights.bin")
    assert result.returncode == 1
    assert "Service Accounts do not have storage quota" in result.stdout
    assert drive.files() == {}


@pytest.mark.parametrize(
    "kind, text", [("storage_quota", "quota has been exceeded"), ("quota", "exceeded their Drive storage")]
)
def test_a_full_drive_ends_the_push_with_its_text_and_is_not_tried_again(clone, drive, kind, text):
    drive.fault(kind, times=None, match="upload")
    result = clone.dvc("push", "weights.bin")
    assert result.returncode == 1
    assert text in result.stdout and "1 files failed to upload" in result.stdout
    assert len(struck(drive)) == 1


@pytest.mark.parametrize("drive", [{"patience": 5}], indirect=True)
def test_a_push_that_lost_its_connection_leaves_no_half_file_and_the_next_completes_it(clone, drive):
    drive.fault("dropped", match="^PUT")
    result = clone.dvc("push")
    assert result.returncode == 1
    assert "2 files failed to upload" in result.stdout  # the object, and the list of its folder
    assert drive.files(clone.store).items() < clone.objects().items()
    assert clone.dvc("push").returncode == 0
    assert drive.files(clone.store) == clone.objects()


def test_a_pull_that_lost_its_connection_leaves_no_half_file_and_the_next_completes_it(puller, drive):
    drive.fault("dropped")
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert "IncompleteRead(4000 bytes read, 4000 more expected)" in result.stdout
    assert puller.objects() == {} and puller.content() == ({}, None)
    assert puller.dvc("pull", "weights.bin").returncode == 0
    assert puller.content() == ({}, WEIGHTS)


def test_a_flagged_object_is_pulled_only_where_the_owner_acknowledges(puller, drive, weights_path):
    drive.flag(weights_path)
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert "cannotDownloadAbusiveFile" in result.stdout
    with (puller.folder / ".dvc/config.local").open("a") as config:
        config.write("\ngdrive_acknowledge_abuse = true\n")
    assert puller.dvc("pull", "weights.bin").returncode == 0
    assert puller.content() == ({}, WEIGHTS)


def test_pull_refuses_a_tampered_object(puller, drive, weights_path):
    drive.tamper(weights_path, b"junk")
    result = puller.dvc("pull")
    assert result.returncode == 1
    assert "Checkout failed for following targets:\nweights.bin" in result.stdout
    assert puller.content() == (PHOTOS, None)


def test_pull_says_which_object_is_missing(puller, drive, weights_path):
    drive.delete(weights_path)
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert "Missing cache files:\nmd5: " + "".join(weights_path.split("/")[-2:]) in result.stdout


def test_pull_reads_across_twin_folders(puller, drive):
    drive.duplicate_folder("store/files/md5")
    assert puller.dvc("pull").returncode == 0
    assert puller.content() == (PHOTOS, WEIGHTS)


def test_credentials_that_expired_are_refreshed_and_saved(puller, drive):
    drive.credentials_file(puller.credentials, expired=True)
    assert puller.dvc("pull", "weights.bin").returncode == 0
    assert drive.requests[0].line == "POST oauth2.googleapis.com/token"
    assert json.loads(puller.credentials.read_text())["access_token"] != "ya29.expired"


def test_revoked_credentials_end_the_pull_at_once(puller, drive):
    drive.credentials_file(puller.credentials, expired=True)
    drive.fault("invalid_grant", times=None)
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert "Failed to authenticate GDrive: Access token refresh failed: invalid_grant: Token has been" in result.stdout
    assert len(drive.requests) == 1


def test_without_credentials_a_pull_that_may_not_ask_ends_before_any_request(puller, drive):
    puller.credentials.unlink()
    result = puller.dvc("pull", "weights.bin")
    assert result.returncode == 1
    assert "Non interactive mode (GDRIVE_NON_INTERACTIVE env) is enabled" in result.stdout
    assert drive.requests == []


def test_an_access_token_that_dies_in_the_middle_is_refreshed(drive, tmp_path):
    drive.put("a/b.bin", b"content")
    drive.fault("unauthorized", match="alt=media")
    assert pydrive(drive, tmp_path, READ).stdout == "content"
    assert [f"{r.method} {r.status}" for r in drive.requests][-3:] == ["GET 401", "POST 200", "GET 206"]


@pytest.mark.parametrize("kind", ["user_rate_limit", "rate_limit", "internal_error", "unavailable"])
def test_pydrive_waits_and_tries_again(drive, tmp_path, kind):
    drive.put("a/b.bin", b"content")
    drive.fault(kind, match="alt=media")
    start = time.monotonic()
    assert pydrive(drive, tmp_path, READ).stdout == "content"
    assert len(struck(drive)) == 1
    assert time.monotonic() - start > 0.5


@pytest.mark.parametrize("kind, error", [("too_many_requests", "HttpError 429"), ("bad_gateway", "Expecting value")])
def test_pydrive_gives_up_at_once(drive, tmp_path, kind, error):
    drive.put("a/b.bin", b"content")
    drive.fault(kind, match="alt=media")
    assert error in pydrive(drive, tmp_path, READ).stdout.splitlines()[-1]
    assert len(struck(drive)) == 1


@pytest.mark.parametrize("drive", [{"page_size": 30}], indirect=True)
def test_a_query_beyond_2048_characters_comes_by_method_override_for_every_page(drive, tmp_path):
    paths = [f"store/{n:02x}/file" for n in range(80)]
    for path in paths:
        drive.put(path, b"")
    result = pydrive(drive, tmp_path, "print(*sorted(fs.find('root/store')))")
    assert result.stdout.split() == [f"root/{path}" for path in paths]
    pages = [request for request in drive.requests if request.overridden]
    assert [(page.method, "pageToken" in page.query) for page in pages] == [("GET", n > 0) for n in range(3)]
    assert min(page.body_size for page in pages) > 2048


def test_a_file_beyond_one_chunk_of_100_mb_goes_up_and_comes_down_in_two(drive, tmp_path):
    (tmp_path / "large").write_bytes(b"end".rjust(100 * 2**20 + 1000, b"\0"))
    result = pydrive(drive, tmp_path, "fs.put_file('large', 'root/large'); fs.get_file('root/large', 'again')")
    assert result.returncode == 0, result.stdout
    assert (tmp_path / "again").read_bytes() == (tmp_path / "large").read_bytes()
    assert [request.status for request in drive.requests if request.method == "PUT"] == [308, 200]
    assert [request.status for request in drive.requests if request.query.get("alt") == "media"] == [206, 206]


CHANGES = """
fs.client.CreateFile({"id": fs._get_item_id("root/a/b.bin")}).Trash()
assert fs.ls("root/a") == ["root/a/c.bin"]
[item] = fs._gdrive_list("title = 'b.bin' and trashed = true")
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


def ask(drive, method, url, bearer="", **form):
    """Return (status, headers, body) of a request through the proxy, redirects not followed."""
    variables, url = drive.environment(), urlsplit(url)
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    proxy = urlsplit(variables["HTTPS_PROXY"])
    connection = http.client.HTTPSConnection(proxy.hostname, proxy.port, context=context)
    connection.set_tunnel(url.hostname)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {bearer}"}
        connection.request(method, f"{url.path}?{url.query}", urlencode(form), headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


LOGIN = """
import sys
from pydrive2.auth import GoogleAuth
client, port, scope = sys.argv[1:]
settings = {
    "client_config_backend": "file", "client_config_file": client, "oauth_scope": [scope], "get_refresh_token": True,
    "save_credentials": True, "save_credentials_backend": "file", "save_credentials_file": "saved.json",
}
auth = GoogleAuth(settings=settings)
auth.LocalWebserverAuth(port_numbers=[int(port)], launch_browser=False)
"""


def test_the_log_in_goes_by_the_browser_to_saved_credentials(drive, tmp_path):
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-u", "-c", LOGIN, drive.client_file(tmp_path / "client.json"), str(port), SCOPE]
    variables = environment(drive, tmp_path) | {"GDRIVE_NON_INTERACTIVE": ""}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, **output) as login:
        address = next(line.strip() for line in login.stdout if "https://" in line)
        status, headers, _ = ask(drive, "GET", address)
        assert status == 302 and urlsplit(headers["Location"]).port == port
        with urllib.request.urlopen(headers["Location"]) as page:
            page.read()
        assert "Authentication successful" in login.stdout.read()
    assert json.loads((tmp_path / "saved.json").read_text())["refresh_token"].startswith("1//")


def consent(drive, redirect_uri, scope=SCOPE):
    asked = urlencode({"client_id": drive.client_id, "redirect_uri": redirect_uri, "scope": scope})
    return ask(drive, "GET", f"https://accounts.google.com/o/oauth2/auth?{asked}")


def code_of(answer):
    return parse_qs(urlsplit(answer[1]["Location"]).query)["code"][0]


def exchange(drive, code, redirect_uri):
    client = {"client_id": drive.client_id, "client_secret": drive.client_secret}
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri} | client
    status, _, body = ask(drive, "POST", "https://oauth2.googleapis.com/token", **form)
    return status, json.loads(body)


def test_a_code_is_good_once_and_from_the_address_that_it_was_sent_to(drive):
    here, there = "http://localhost:1/", "http://localhost:2/"
    codes = [code_of(consent(drive, here)) for _ in range(2)]
    assert exchange(drive, codes[0], there)[1]["error"] == "redirect_uri_mismatch"
    status, tokens = exchange(drive, codes[1], here)
    assert status == 200 and tokens["scope"] == SCOPE
    assert exchange(drive, codes[1], here)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("scope, expected", [(SCOPE, 200), ("email", 403)])
def test_a_token_opens_the_drive_only_with_its_scope(drive, scope, expected):
    here, files = "http://localhost:1/", "https://www.googleapis.com/drive/v2/files"
    _, tokens = exchange(drive, code_of(consent(drive, here, scope)), here)
    assert ask(drive, "GET", files, bearer=tokens["access_token"])[0] == expected


def test_no_code_is_given_out_of_band(drive):
    assert consent(drive, "urn:ietf:wg:oauth:2.0:oob")[0] == 400


def test_with_the_refresh_token_all_access_is_revoked(drive, tmp_path):
    credentials = json.loads(drive.credentials_file(tmp_path / "credentials.json").read_text())
    revoke = "https://oauth2.googleapis.com/revoke"
    assert [ask(drive, "POST", revoke, token=credentials["refresh_token"])[0] for _ in range(2)] == [200, 400]
    assert ask(drive, "POST", revoke, token=credentials["access_token"])[0] == 400


@pytest.mark.parametrize("drive", [{"latency": 0.2}], indirect=True)
def test_every_answer_takes_the_latency(drive):
    start = time.monotonic()
    assert ask(drive, "GET", "https://www.googleapis.com/drive/v2/files/root")[0] == 401
    assert time.monotonic() - start >= 0.2


def test_no_host_but_googles_is_reached_and_the_attempt_is_logged(drive):
    with pytest.raises(OSError, match="502"):
        ask(drive, "GET", "https://example.com/")
    assert [request.line for request in drive.requests] == ["CONNECT example.com"]


def test_an_unknown_fault_is_refused(drive):
    with pytest.raises(ValueError, match="no fault is called typo; there are user_rate_limit, "):
        drive.fault("typo")
