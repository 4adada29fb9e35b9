import re
import shutil
import time
from threading import Barrier, Thread

import httplib2
import pytest
from dvc.repo import Repo
from pydrive2.fs import GDriveFileSystem

from gentra_lora.commands.main import main
from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.objects import check, pull, push
from gentra_lora.drive.remotes import DriveError
from gentra_lora.revisions.weights import WeightsError, pull_weights
from tests.dvc_project import command, weights_of

WEIGHTS = "models/sport_gentra_lora.safetensors"

# Drive's client calls what its own libraries call outdated, and leaves its connections open.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def folder(fake_drive):
    return fake_drive.folder("store")


@pytest.fixture
def owner(project, fake_drive, folder, tmp_path):
    """The project with the Drive folder as its remote by log-in, and everything pushed."""
    (project / ".dvc/config.local").unlink()
    key = fake_drive.credentials_file(tmp_path / "key.json")
    main(["drive", "oauth", "--credentials", str(key), "--folder", folder])
    main(["drive", "push"])
    command(project, "git", "commit", "-qam", "remote")
    return project


@pytest.fixture
def reader(owner, fake_drive, folder, tmp_path, monkeypatch):
    """A fresh clone that may only pull, by a service account that the folder is shared with."""
    fake_drive.share(folder, fake_drive.service_account)
    return read_only_clone(owner, fake_drive, tmp_path, monkeypatch)


def read_only_clone(owner, fake_drive, tmp_path, monkeypatch):
    clone = tmp_path / "clone"
    command(tmp_path, "git", "clone", "-q", str(owner), str(clone))
    monkeypatch.chdir(clone)
    key = fake_drive.service_account_file(tmp_path / "robot.json")
    main(["drive", "service-account", "--credentials", str(key)])
    return clone


@pytest.fixture
def slept(monkeypatch):
    """The seconds of each sleep between two tries: they are noted, and pass at once."""
    seconds = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def told(words):
    """Return the one line that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert str(ended.value).startswith("error: ")
    assert "\n" not in str(ended.value)
    return str(ended.value)


def object_path(fake_drive, data):
    return next(path for path, content in fake_drive.files().items() if content == data)


def test_set_up_makes_the_two_top_folders_once_and_keeps_secrets_out_of_git(owner, fake_drive, folder):
    queries = [request.line for request in fake_drive.requests]
    assert queries
    shared = command(owner, "git", "show", "HEAD:.dvc/config")
    assert folder in shared
    assert fake_drive.client_secret not in shared


def test_what_was_pushed_is_proved_and_pulled_by_reads_alone(reader, fake_drive, capsys):
    fake_drive.requests.clear()
    main(["drive", "pull"])
    assert (reader / WEIGHTS).read_bytes() == weights_of(32)
    methods = {(request.method, request.host) for request in fake_drive.requests if request.method != "CONNECT"}
    assert methods <= {("GET", "www.googleapis.com"), ("POST", "oauth2.googleapis.com")}
    with pytest.raises(SystemExit) as ended:
        main(["drive", "check"])
    assert ended.value.code == 0
    assert "all there, every byte as it was" in capsys.readouterr().out


def test_push_by_service_account_is_refused_before_anything_is_sent(reader, fake_drive):
    fake_drive.requests.clear()
    line = told(["drive", "push"])
    assert "a service account can only pull, it has no storage of its own; push by log-in" in line
    assert not any("upload" in request.line for request in fake_drive.requests)


def test_folder_that_is_not_shared_names_the_account_to_share_it_with(owner, fake_drive, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=rf"share it with {fake_drive.service_account} \(Viewer\)"):
        read_only_clone(owner, fake_drive, tmp_path, monkeypatch)


def test_ended_log_in_ends_at_once_with_the_way_to_a_new_one(owner, fake_drive, tmp_path, slept):
    fake_drive.credentials_file(tmp_path / "key.json", expired=True)
    GDriveFileSystem.clear_instance_cache()
    fake_drive.fault("invalid_grant", times=None)
    line = told(["drive", "push"])
    assert "the log-in has ended or was withdrawn; make a new one with `gentra-lora drive login`" in line
    assert sum(slept) < 10


def test_missing_sub_folder_is_told(owner, fake_drive, folder, tmp_path):
    words = ["drive", "oauth", "--credentials", str(tmp_path / "key.json"), "--folder", f"gdrive://{folder}/nowhere"]
    line = told(words)
    assert "the sub-folder is not there; make it in Drive" in line


def new_weights(project, text="more"):
    (project / "train.sh").write_text((project / "train.sh").read_text() + f"echo {text} >> {WEIGHTS}\n")
    command(project, "dvc", "repro", "-q")
    command(project, "git", "commit", "-qam", text)


def test_full_drive_ends_the_push_at_once_and_what_was_there_stays(owner, fake_drive, slept):
    before = fake_drive.files()
    new_weights(owner)
    fake_drive.fault("storage_quota", times=None, match="upload")
    line = told(["drive", "push"])
    assert "the Drive is full; free space there" in line
    assert sum(slept) < 10
    assert before.items() <= fake_drive.files().items()


def test_lasting_rate_limit_ends_in_seconds(owner, fake_drive, slept):
    fake_drive.fault("user_rate_limit", times=None)
    line = told(["drive", "push"])
    assert "Drive's limit of requests is reached; wait some minutes" in line
    assert sum(slept) < 15


@pytest.mark.parametrize("kind", ["user_rate_limit", "unavailable"])
def test_passing_fault_passes(owner, fake_drive, kind, capsys, slept):
    new_weights(owner)
    fake_drive.fault(kind, times=2)
    main(["drive", "push"])
    assert "pushed " in capsys.readouterr().out


def test_flagged_file_is_told_with_who_can_get_it(reader, fake_drive):
    fake_drive.flag(object_path(fake_drive, weights_of(32)))
    line = told(["drive", "pull"])
    assert "Google flagged a file as abusive, and only its owner can get it" in line


def test_tampered_object_is_found_by_check_refused_by_pull_and_by_the_exact_weights(reader, fake_drive, tmp_path):
    fake_drive.tamper(object_path(fake_drive, weights_of(32)), b"other")
    with Repo(".") as repo:
        _, lacks = check(repo, open_folder(repo))
        assert [lack.path for lack in lacks] == [f"{WEIGHTS} of HEAD"]
        assert "holds 5 other bytes; delete files/md5/" in lacks[0].reason
    line = told(["drive", "pull"])
    assert f"does not hold these as they were pushed: {WEIGHTS};" in line
    with pytest.raises(WeightsError, match="holds other bytes"):
        pull_weights(".", "HEAD", tmp_path / "weights")


def test_connection_that_drops_in_a_pull_loses_nothing_and_the_next_one_goes_on(reader, fake_drive):
    fake_drive.fault("dropped", times=1, match="alt=media")
    with Repo(".") as repo:
        try:
            pull(repo, open_folder(repo))
        except DriveError as error:
            assert "Drive cannot be reached" in str(error)
    GDriveFileSystem.clear_instance_cache()  # as in a process of its own
    main(["drive", "pull"])
    assert (reader / WEIGHTS).read_bytes() == weights_of(32)


def test_two_first_pushes_at_once_make_each_folder_once(owner, fake_drive, tmp_path):
    folder, gate = fake_drive.folder("fresh"), Barrier(2)
    with Repo(".") as repo, repo.config.edit("local") as config:
        config["remote"]["drive"]["url"] = f"gdrive://{folder}"
    failed = []

    def make():
        with Repo(str(owner)) as repo:
            opened = open_folder(repo)
            gate.wait()
            try:
                opened.make_top()
            except DriveError as error:
                failed.append(error)

    threads = [Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_first_push_that_looked_before_another_made_the_folders_takes_the_others(owner, fake_drive):
    for n in range(5):  # ids are random, and the one that came later has the lower one now and then
        with Repo(".") as repo, repo.config.edit("local") as config:
            config["remote"]["drive"]["url"] = f"gdrive://{fake_drive.folder(f'fresh{n}')}"
        with Repo(".") as repo:
            first, second = open_folder(repo), open_folder(repo)
            named, asked = second._named, []

            def slow(name, parent, first=first, named=named, asked=asked):
                found = named(name, parent)
                if not asked:
                    first.make_top()
                asked.append(name)
                return found

            second._named = slow
            second.make_top()
            assert len(named("files", second.filesystem._get_item_id(second.path))) == 1


def test_twin_folders_are_told_before_a_push(owner, fake_drive, slept):
    fake_drive.duplicate_folder("store/files")
    line = told(["drive", "push"])
    assert "has 2 folders named files, from two first pushes at once" in line


def test_mounted_folder_and_drive_are_one_layout(owner, fake_drive, tmp_path, monkeypatch):
    """What was pushed by one way is pulled by the other, both ways."""
    mounted = tmp_path / "drive/MyDrive/store"
    for path, content in fake_drive.files().items():
        target = mounted.parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    shutil.rmtree(owner / ".dvc/cache")
    (owner / WEIGHTS).unlink()
    main(["drive", "mount", str(mounted)])
    main(["drive", "pull"])
    assert (owner / WEIGHTS).read_bytes() == weights_of(32)
    new_weights(owner)
    main(["drive", "push"])
    for path in mounted.rglob("*"):
        if path.is_file() and path.relative_to(mounted.parent).as_posix() not in fake_drive.files():
            fake_drive.put(path.relative_to(mounted.parent).as_posix(), path.read_bytes())
    shutil.rmtree(owner / ".dvc/cache")
    main(["drive", "oauth", "--credentials", str(tmp_path / "key.json"), "--folder", fake_folder(fake_drive)])
    main(["drive", "pull"])
    assert (owner / WEIGHTS).read_bytes() == weights_of(32) + b"more\n"


def fake_folder(fake_drive):
    with Repo(".") as repo:
        return str(repo.config.read("repo")["remote"]["drive"]["url"])


def test_exact_weights_come_from_drive_by_a_named_remote(owner, fake_drive, folder, tmp_path):
    fake_drive.share(folder, fake_drive.service_account)
    shutil.rmtree(owner / ".dvc/cache")
    key = fake_drive.service_account_file(tmp_path / "robot.json")
    found = pull_weights(str(owner), "HEAD", tmp_path / "weights", f"gdrive://{folder}", str(key))
    assert (tmp_path / "weights" / found.file).read_bytes() == weights_of(32)


def test_second_push_uploads_nothing(owner, fake_drive):
    fake_drive.requests.clear()
    main(["drive", "push"])
    assert not any("upload" in request.line for request in fake_drive.requests)


def test_push_by_dvcs_own_command_goes_the_same_way(owner, fake_drive, capsys):
    new_weights(owner)
    command(owner, "dvc", "push", "-q")
    with Repo(".") as repo:
        assert check(repo, open_folder(repo))[1] == []
        assert push(repo, open_folder(repo)) >= 0


def test_log_in_is_made_by_pasting_the_address_that_the_browser_was_sent_to(owner, fake_drive, tmp_path, monkeypatch):
    client = fake_drive.client_file(tmp_path / "client.json")
    shown = []

    def person(_):
        browser = httplib2.Http()
        browser.follow_redirects = False
        answer, _ = browser.request(shown.pop())
        return answer["location"]

    monkeypatch.setattr("builtins.print", lambda *words: shown.extend(re.findall(r"https://\S+", " ".join(words))))
    monkeypatch.setattr("builtins.input", person)
    key = tmp_path / "made.json"
    main(["drive", "login", "--client", str(client), "--out", str(key), "--paste"])
    assert key.stat().st_mode & 0o777 == 0o600
    main(["drive", "oauth", "--credentials", str(key)])
    main(["drive", "push"])


def test_key_in_the_environment_serves_as_a_file_does(owner, fake_drive, folder, tmp_path, monkeypatch):
    fake_drive.share(folder, fake_drive.service_account)
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", fake_drive.service_account_file(tmp_path / "r.json").read_text())
    main(["drive", "service-account"])
    assert "credentials" not in (owner / ".dvc/config.local").read_text()
    shutil.rmtree(owner / ".dvc/cache")
    main(["drive", "pull"])
    found = pull_weights(str(owner), "HEAD", tmp_path / "weights", f"gdrive://{folder}")
    assert (tmp_path / "weights" / found.file).read_bytes() == weights_of(32)


def test_set_up_that_fails_leaves_the_one_before(owner, tmp_path):
    before = [(owner / f".dvc/{name}").read_bytes() for name in ("config", "config.local")]
    told(["drive", "oauth", "--credentials", str(tmp_path / "key.json"), "--folder", "1MistypedMistyped"])
    assert [(owner / f".dvc/{name}").read_bytes() for name in ("config", "config.local")] == before
    main(["drive", "push"])


def test_what_a_person_has_set_for_the_remote_stays(owner, tmp_path):
    command(owner, "dvc", "remote", "modify", "--local", "drive", "gdrive_acknowledge_abuse", "true")
    main(["drive", "oauth", "--credentials", str(tmp_path / "key.json")])
    assert "gdrive_acknowledge_abuse = true" in (owner / ".dvc/config.local").read_text().lower()


def test_missing_key_ends_at_once(owner, tmp_path, slept):
    (tmp_path / "key.json").unlink()
    line = told(["drive", "push"])
    assert "key.json: cannot be read" in line
    assert sum(slept) < 10


def test_key_of_another_kind_in_the_environment_is_told(owner, fake_drive, tmp_path, monkeypatch):
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", fake_drive.service_account_file(tmp_path / "r.json").read_text())
    line = told(["drive", "push"])
    assert "GDRIVE_CREDENTIALS_DATA: is the key of a service account, not of a log-in" in line


def test_server_with_a_key_in_the_environment_pulls_the_exact_weights_of_a_bare_repository(
    owner, fake_drive, folder, tmp_path, monkeypatch
):
    fake_drive.share(folder, fake_drive.service_account)
    command(tmp_path, "git", "clone", "-q", "--bare", str(owner), str(tmp_path / "bare.git"))
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", fake_drive.service_account_file(tmp_path / "r.json").read_text())
    for address in (str(tmp_path / "bare.git"), f"file://{tmp_path}/bare.git"):
        found = pull_weights(address, "main", tmp_path / "weights")
        assert (tmp_path / "weights" / found.file).read_bytes() == weights_of(32)
        (tmp_path / "weights" / found.file).unlink()


def test_exact_weights_of_a_folder_that_is_not_shared_name_the_account(owner, fake_drive, tmp_path, monkeypatch):
    command(tmp_path, "git", "clone", "-q", str(owner), str(tmp_path / "clone"))
    key = fake_drive.service_account_file(tmp_path / "robot.json")
    with pytest.raises(DriveError, match=rf"share it with {fake_drive.service_account} \(Viewer\)"):
        pull_weights(str(tmp_path / "clone"), "main", tmp_path / "weights", credentials=str(key))
    assert not list((tmp_path / "weights").glob("sport*"))
