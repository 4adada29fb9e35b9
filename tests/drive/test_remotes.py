import shutil
from types import SimpleNamespace
from unicodedata import normalize

import psutil
import pytest
from dvc.repo import Repo

from gentra_lora.drive.credentials import SERVICE, USER, Credentials
from gentra_lora.drive.remotes import (
    DriveError,
    folder_url,
    is_read_only,
    remote_url,
    set_log_in,
    set_mounted,
    set_service_account,
)
from tests.dvc_project import command

ID = "1aBcDeFgHiJkLmNoPqRsT"
KEY = {"client_id": "mine.apps", "client_secret": "secret", "refresh_token": "r"}


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A DVC project without a remote."""
    folder = tmp_path / "content/project"
    folder.mkdir(parents=True)
    command(folder, "git", "init", "-q")
    monkeypatch.chdir(folder)
    with Repo.init(str(folder)) as made:
        yield made


def text_of(repo, name):
    path = f"{repo.dvc_dir}/{name}"
    with open(path) as file:
        return file.read()


@pytest.mark.parametrize(
    "text",
    [
        f"https://drive.google.com/drive/folders/{ID}?usp=sharing",
        f"https://drive.google.com/drive/u/0/folders/{ID}",
        f"gdrive://{ID}",
        ID,
    ],
)
def test_folder_is_named_by_its_address_in_the_browser_or_its_id(text):
    assert folder_url(text) == f"gdrive://{ID}"


def test_folder_of_dvcs_own_form_may_have_a_sub_folder():
    assert folder_url(f"gdrive://{ID}/store/a") == f"gdrive://{ID}/store/a"
    assert folder_url("gdrive://root/store") == "gdrive://root/store"


@pytest.mark.parametrize("text", ["", "photos", "https://drive.google.com/file/d/x/view", f"{ID}?x"])
def test_what_is_no_folder_is_refused(text):
    with pytest.raises(DriveError, match="--folder: .* copy its address from the browser"):
        folder_url(text)


def test_mounted_folder_is_verified_and_known_to_this_machine_alone(repo, tmp_path):
    (tmp_path / "drive/MyDrive/store").mkdir(parents=True)
    set_mounted(repo, tmp_path / "drive/MyDrive/store")
    assert remote_url(repo) == str(tmp_path / "drive/MyDrive/store")
    assert repo.config["remote"]["drive"] | {"verify": True, "jobs": 4} == repo.config["remote"]["drive"]
    assert "drive" not in text_of(repo, "config")


def test_folder_in_the_repository_is_refused(repo, tmp_path):
    (tmp_path / "content/project/store").mkdir()
    with pytest.raises(DriveError, match="lies in the repository, and its files would get into git"):
        set_mounted(repo, tmp_path / "content/project/store")


def test_mounted_folder_of_a_project_without_git_is_taken(tmp_path):
    for folder in ("project", "drive"):
        (tmp_path / folder).mkdir()
    with Repo.init(str(tmp_path / "project"), no_scm=True) as repo:
        set_mounted(repo, tmp_path / "drive")
        assert remote_url(repo) == str(tmp_path / "drive")


def test_drive_that_is_kept_as_plain_folders_takes_no_more_than_itself(repo, tmp_path):
    (tmp_path / "My Drive/store").mkdir(parents=True)
    set_mounted(repo, tmp_path / "My Drive/store")
    assert remote_url(repo) == str(tmp_path / "My Drive/store")


@pytest.mark.parametrize("name", ["Мой диск", normalize("NFD", "Мой диск"), "Meine Ablage", "マイドライブ"])
def test_synced_folder_of_another_language_is_taken_whole_and_dvc_reads_it(repo, tmp_path, name):
    (tmp_path / name / "store").mkdir(parents=True)
    set_mounted(repo, tmp_path / name / "store")
    with Repo(repo.root_dir) as again:
        assert remote_url(again) == remote_url(repo) == str(tmp_path / name / "store")
    set_mounted(repo, tmp_path / name / "store")  # what is there already has such letters, too
    (tmp_path / name / "project").mkdir()
    with (
        Repo.init(str(tmp_path / name / "project"), no_scm=True) as on_it,
        pytest.raises(DriveError, match="must not be"),
    ):
        set_mounted(on_it, tmp_path / name / "store")


def test_key_under_a_name_of_other_letters_is_taken(repo, tmp_path):
    (tmp_path / "иван").mkdir()
    set_log_in(repo, f"gdrive://{ID}", key(USER, tmp_path / "иван/ключ.json"))
    with Repo(repo.root_dir) as again:
        assert again.config["remote"]["drive"]["gdrive_user_credentials_file"] == str(tmp_path / "иван/ключ.json")


def test_path_that_dvcs_settings_cannot_hold_is_refused(repo, tmp_path):
    (tmp_path / "100 %(a)s").mkdir()
    with pytest.raises(DriveError, match=r"cannot hold %\( in a path"):
        set_mounted(repo, tmp_path / "100 %(a)s")


def test_missing_folder_is_told(repo, tmp_path):
    with pytest.raises(DriveError, match="drive/MyDrive/store: is no folder; mount Drive"):
        set_mounted(repo, tmp_path / "drive/MyDrive/store")


def test_repository_on_the_mount_is_refused(tmp_path):
    folder = tmp_path / "drive/MyDrive/project"
    folder.mkdir(parents=True)
    (tmp_path / "drive/MyDrive/store").mkdir()
    command(folder, "git", "init", "-q")
    with Repo.init(str(folder)) as repo, pytest.raises(DriveError, match="the repository must not be on the mounted"):
        set_mounted(repo, tmp_path / "drive/MyDrive/store")


def test_cache_on_the_mount_is_refused(repo, tmp_path):
    (tmp_path / "drive/MyDrive/store").mkdir(parents=True)
    with repo.config.edit("local") as config:
        config["cache"]["dir"] = str(tmp_path / "drive/MyDrive/cache")
    with Repo(repo.root_dir) as again, pytest.raises(DriveError, match="the cache must not be on the mounted"):
        set_mounted(again, tmp_path / "drive/MyDrive/store")


def test_mount_of_another_name_is_known_by_its_file_system(repo, tmp_path, monkeypatch):
    (tmp_path / "store").mkdir()
    part = SimpleNamespace(mountpoint=str(tmp_path), fstype="fuse.drive")
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [part])
    with pytest.raises(DriveError, match=rf"the repository must not be on the mounted Drive \({tmp_path}\)"):
        set_mounted(repo, tmp_path / "store")


def key(kind, path, fields=KEY):
    path.write_text("{}")
    return Credentials(kind, fields, path)


def test_log_in_keeps_what_is_secret_out_of_the_committed_file(repo, tmp_path):
    set_log_in(repo, f"gdrive://{ID}", key(USER, tmp_path / "key.json"))
    shared, local = text_of(repo, "config"), text_of(repo, "config.local")
    assert ID in shared
    assert not any(word in shared for word in ("secret", "client", "credentials"))
    assert all(word in local for word in ("mine.apps", "secret", str(tmp_path / "key.json")))
    assert repo.config["remote"]["drive"]["jobs"] == 4
    assert not is_read_only(repo)


def test_log_in_from_the_environment_leaves_no_file_named(repo):
    set_log_in(repo, f"gdrive://{ID}", Credentials(USER, KEY, None))
    assert "credentials_file" not in text_of(repo, "config.local")


def test_key_that_git_would_take_is_refused(repo, tmp_path):
    inside = key(USER, tmp_path / "content/project/key.json")
    with pytest.raises(DriveError, match=r"key\.json: a key must not get into git"):
        set_log_in(repo, f"gdrive://{ID}", inside)
    (tmp_path / "content/project/.gitignore").write_text("key.json\n")
    set_log_in(repo, f"gdrive://{ID}", inside)


def test_each_way_can_follow_each_other_one(repo, tmp_path):
    (tmp_path / "store").mkdir()
    ways = [
        lambda: set_mounted(repo, tmp_path / "store"),
        lambda: set_log_in(repo, f"gdrive://{ID}", key(USER, tmp_path / "key.json")),
        lambda: set_service_account(repo, f"gdrive://{ID}", key(SERVICE, tmp_path / "s.json", {"client_email": "e"})),
    ]
    for first in ways:
        for second in ways:
            first()
            second()
            with Repo(repo.root_dir) as again:
                assert remote_url(again) == (str(tmp_path / "store") if second is ways[0] else f"gdrive://{ID}")
                assert is_read_only(again) == (second is ways[2])


def test_project_without_a_remote_is_told_the_three_ways(repo):
    with pytest.raises(DriveError, match="no Drive folder is set up: `gentra-lora drive mount PATH`"):
        remote_url(repo)


def test_dvc_itself_uses_the_remote(repo, tmp_path):
    (tmp_path / "store").mkdir()
    set_mounted(repo, tmp_path / "store")
    (tmp_path / "content/project/photo.png").write_bytes(b"1")
    command(repo.root_dir, "dvc", "add", "-q", "photo.png")
    command(repo.root_dir, "dvc", "push", "-q")
    shutil.rmtree(f"{repo.root_dir}/.dvc/cache")
    (tmp_path / "content/project/photo.png").unlink()
    command(repo.root_dir, "dvc", "pull", "-q")
    assert (tmp_path / "content/project/photo.png").read_bytes() == b"1"
