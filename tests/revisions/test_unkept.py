import pytest
from dvc.repo import Repo

from gentra_lora.revisions.unkept import unkept
from tests.dvc_project import command

PARAMS = """\
prepare:
  raw_dir: data/raw
base:
  model: models/mine
  vae: null
evaluate:
  likeness_model: owner/clip
"""


@pytest.fixture
def folder(tmp_path):
    """A project with a base and photos that nobody keeps, as .gitignore hides the photos and the weights."""
    for name in ("data/raw/images/a.png", "models/mine/model_index.json", "models/mine/unet.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / ".gitignore").write_text("/data/raw\n*.safetensors\n")
    command(tmp_path, "git", "init", "-q")
    command(tmp_path, "dvc", "init", "-q")
    (tmp_path / ".dvcignore").write_text(".DS_Store\n")
    command(tmp_path, "git", "add", "-A")
    command(tmp_path, "git", "commit", "-qm", "x")
    return tmp_path


def paths(folder):
    with Repo(str(folder)) as repo:
        return unkept(repo)


def test_photos_that_are_hidden_from_git_and_weights_that_are_hidden_within_a_base_are_named(folder):
    found = paths(folder)
    assert list(found) == ["data/raw", "models/mine"]
    assert found["data/raw"].startswith("data/raw: 1 file in neither git nor DVC (data/raw/images/a.png)")
    assert "(models/mine/unet.safetensors)" in found["models/mine"]
    assert "`dvc add models/mine`" in found["models/mine"]


def test_what_dvc_or_git_keeps_is_not_named_nor_what_dvc_ignores(folder):
    command(folder, "dvc", "add", "-q", "data/raw")
    command(folder, "git", "add", "-f", "models/mine")
    (folder / "models/mine/.DS_Store").touch()
    assert paths(folder) == {}


def test_paths_outside_of_the_project_and_those_that_are_not_there_are_left_to_others(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.png").touch()
    (folder / "params.yaml").write_text(f"prepare:\n  raw_dir: {outside}\nbase:\n  model: owner/name\n")
    assert paths(folder) == {}
    (folder / "params.yaml").unlink()
    assert paths(folder) == {}
