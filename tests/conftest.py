"""Fixtures for all tests. Those that take long to make are made once for all workers."""

import gc
import os
import resource
import shutil
import signal
import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path

import httplib2
import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # tiny models are slower on more; set before torch reads it
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")  # for processes, whichever copy is installed

from dvc.repo import Repo
from pydrive2.fs import GDriveFileSystem

from gentra_lora.base.libraries import hush_libraries
from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.objects import push
from tests.dvc_project import make_history
from tests.evaluated_project import make_evaluated
from tests.fake_drive import FakeDrive
from tests.forks import forks  # noqa: F401 - fixtures, and what tests import from here
from tests.made_once import made_once
from tests.random_latents import cached_photos  # noqa: F401
from tests.serving import served, serving_repo  # noqa: F401
from tests.tiny_models import (  # noqa: F401
    make_unet,
    text_config,
    tiny_base,
    tiny_clip,
    tiny_segmenter,
    tiny_unet,
    tokenizer,
)
from tests.workspaces import (  # noqa: F401
    PROFILES,
    ROOT,
    cached,
    change,
    demo_values,
    enter,
    evaluated,
    link_to_cache,
    needs_git,
    shipped_dvc_yaml,
    still_in_cache,
    tiny_values,
    trained,
    workspace,
    workspace_after,
    write_photos,
)

hush_libraries()
# A run in the background of a shell ignores Ctrl-C, and so would the processes that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def full_disk(limit=20_000):
    """No file can grow beyond `limit` bytes inside, as on a full disk. Keep pytest's own output out of it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """A DVC project of three commits and an experiment, pushed; not to be changed, see `project`."""

    def make(top):
        (top / "remote").mkdir(parents=True)
        with Repo(str(make_history(top / "project", top / "remote"))) as repo:
            push(repo, open_folder(repo))

    return made_once(tmp_path_factory, "history", make) / "project"


@pytest.fixture(scope="session")
def evaluated_history(tmp_path_factory):
    """The project of `make_evaluated`; not to be changed."""
    return made_once(tmp_path_factory, "evaluated-history", make_evaluated)


@pytest.fixture
def project(history, tmp_path, monkeypatch):
    """A copy of `history` with a remote of its own, as the current folder."""
    shutil.copytree(history.parent, tmp_path / "top", symlinks=True)
    folder = tmp_path / "top/project"
    (folder / ".dvc/config.local").write_text(f"['remote \"drive\"']\n    url = {tmp_path / 'top/remote'}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def fake_drive(monkeypatch, tmp_path):
    """A Drive server of ours that this process's clients take for Google's."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))  # every server gives the same ids to its items
    with FakeDrive() as drive:
        for name, value in drive.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(httplib2, "CA_CERTS", drive.environment()["HTTPLIB2_CA_CERTS"])
        GDriveFileSystem.clear_instance_cache()
        yield drive
        GDriveFileSystem.clear_instance_cache()
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()  # the client leaves its connections open


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """A git repository with the shipped profiles, its params.yaml committed."""
    (tmp_path / "profiles").mkdir()
    for name in PROFILES:
        shutil.copy(ROOT / f"profiles/{name}.yaml", tmp_path / "profiles")
    shutil.copy(ROOT / "profiles/demo.yaml", tmp_path / "params.yaml")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def demo_project(profiles):
    (profiles / "dvc.yaml").write_text(shipped_dvc_yaml(), encoding="utf-8")
    (profiles / "models").mkdir()
    (profiles / "models/nano-sd").symlink_to(ROOT / "models/nano-sd")
    return profiles
