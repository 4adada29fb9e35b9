import hashlib
import shutil

import pytest
import yaml
from dvc.repo import Repo

from gentra_lora.drive.folder import open_folder
from gentra_lora.drive.objects import check, lacks_told, outputs_of_revisions, pull, push
from gentra_lora.drive.remotes import DriveError
from tests.dvc_project import command, weights_of


@pytest.fixture
def opened(project):
    with Repo(str(project)) as repo:
        yield repo


def there(project, data):
    md5 = hashlib.md5(data).hexdigest()
    return project.parent / "remote/files/md5" / md5[:2] / md5[2:]


def spoil(path, data=None):
    path.chmod(0o644)
    path.write_bytes(data) if data is not None else path.unlink()


def test_head_branches_tags_and_experiments_are_what_counts(opened, project):
    command(project, "git", "branch", "older", "main~1")
    weights, images = "models/sport_gentra_lora.safetensors", "reports/images"
    named = {name for name, _ in outputs_of_revisions(opened, [])}
    labels = "HEAD", "older", "first", "wide"
    assert named == {f"{path} of {label}" for label in labels for path in (weights, images)}


def test_whole_remote_passes_the_check(opened):
    count, lacks = check(opened, open_folder(opened))
    assert (count, lacks) == (10, [])  # 3 weights, 3 folders, the grid of each, and the base's picture, which is one
    assert lacks_told(count, lacks) == ["10 objects of branches, tags and experiments: all there, every byte as it was"]


@pytest.mark.parametrize("rank", [8, 32, 64])
@pytest.mark.parametrize("fault", ["missing", "truncated"])
@pytest.mark.parametrize("kind", ["weights", "grid"])
def test_lack_is_told_with_its_path_and_revision(opened, project, rank, fault, kind):
    data = weights_of(rank) if kind == "weights" else f"grid of rank {rank}\n".encode()
    spoil(there(project, data), None if fault == "missing" else data[:3])
    _, lacks = check(opened, open_folder(opened))
    assert [lack.name for lack in lacks] == [hashlib.md5(data).hexdigest()]
    assert {8: "of first", 32: "of HEAD", 64: "of wide"}[rank] in lacks[0].path
    assert ("is not there" if fault == "missing" else "holds 3 other bytes") in lacks_told(10, lacks)[0]


def test_check_does_not_trust_the_cache_nor_what_dvc_remembers(opened, project):
    spoil(there(project, weights_of(32)))
    command(project, "dvc", "push", "-q", "models/sport_gentra_lora.safetensors")
    spoil(there(project, weights_of(32)))
    assert check(opened, open_folder(opened))[1]


def test_push_brings_back_what_was_lost_on_the_remote(opened, project):
    for path in (project.parent / "remote/files/md5").glob("??/*"):
        spoil(path)
    count = push(opened, open_folder(opened))
    assert count >= 10
    assert check(opened, open_folder(opened)) == (10, [])


def test_single_file_of_a_folder_that_was_lost_is_pushed_again(opened, project):
    spoil(there(project, b"grid of rank 32\n"))
    push(opened, open_folder(opened))
    assert check(opened, open_folder(opened)) == (10, [])


def test_pull_puts_the_revisions_files_in_place(opened, project):
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "models")
    pull(opened, open_folder(opened))
    assert (project / "models/sport_gentra_lora.safetensors").read_bytes() == weights_of(32)


def test_tampered_object_is_refused_by_a_pull_and_what_was_there_stays(opened, project):
    with opened.config.edit("local") as config:
        config["remote"]["drive"]["verify"] = True
    shutil.rmtree(project / ".dvc/cache")
    spoil(there(project, weights_of(32)), b"x")
    with Repo(str(project)) as repo, pytest.raises(DriveError, match="as they were pushed: models"):
        pull(repo, open_folder(repo))
    assert (project / "models/sport_gentra_lora.safetensors").read_bytes() == weights_of(32)


def test_object_that_a_mount_does_not_show_whole_yet_is_not_deleted_there(opened, project):
    with opened.config.edit("local") as config:
        config["remote"]["drive"]["verify"] = True
    shutil.rmtree(project / ".dvc/cache")
    grid = there(project, b"grid of rank 32\n")
    spoil(grid, b"grid")
    grid.chmod(0o600)
    with Repo(str(project)) as repo, pytest.raises(DriveError, match="reports/images: grid.png; a mount may not show"):
        pull(repo, open_folder(repo))
    assert grid.read_bytes() == b"grid"


def test_older_versions_with_a_tag_are_pushed_too(opened, project):
    for lost in (weights_of(8), b"grid of rank 8\n"):
        spoil(there(project, lost))
    push(opened, open_folder(opened))
    assert check(opened, open_folder(opened)) == (10, [])


def test_tag_that_dvc_cannot_read_is_told_and_hides_no_other(opened, project):
    command(project, "git", "checkout", "-q", "-b", "broken")
    (project / "dvc.lock").write_text("<<<<<<< HEAD\n")
    command(project, "git", "commit", "-qam", "broken")
    command(project, "git", "checkout", "-q", "main")
    spoil(there(project, weights_of(8)))
    with Repo(str(project)) as repo:
        push(repo, open_folder(repo))
        _, (lack,) = check(repo, open_folder(repo))
    assert (lack.path, lack.reason[:16]) == ("broken", "cannot be read: ")


def test_second_push_sends_no_entry_of_the_run_cache_again(opened, project):
    runs = project.parent / "remote/runs"
    push(opened, open_folder(opened))
    first, *_ = before = sorted(path for path in runs.rglob("*") if path.is_file())
    assert len(before) == len([path for path in (project / ".dvc/cache/runs").rglob("*") if path.is_file()]) > 2
    first.unlink()
    times = {path: path.stat().st_mtime_ns for path in before[1:]}
    push(opened, open_folder(opened))
    assert first.exists()
    assert {path: path.stat().st_mtime_ns for path in before[1:]} == times


def test_folder_that_is_gone_is_told(opened, project):
    shutil.rmtree(project.parent / "remote")
    with pytest.raises(DriveError, match="remote: is not there; mount Drive again"):
        open_folder(opened)


def test_pull_does_not_write_over_what_is_in_no_cache(opened, project):
    (project / "models/sport_gentra_lora.safetensors").write_bytes(b"mine")
    with pytest.raises(DriveError, match=r"sport_gentra_lora\.safetensors"):
        pull(opened, open_folder(opened))
    assert (project / "models/sport_gentra_lora.safetensors").read_bytes() == b"mine"


@pytest.fixture
def imported(project, tmp_path):
    """The project with photos that `dvc import` brought, its cache empty; returns the repository they came from."""
    source = tmp_path / "source"
    (source / "photos").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (source / "photos" / name).write_text(name)
    command(source, "git", "init", "-q")
    command(source, "dvc", "init", "-q")
    command(source, "dvc", "add", "-q", "photos")
    command(source, "git", "add", "-A")
    command(source, "git", "commit", "-qm", "photos")
    command(project, "dvc", "import", "-q", str(source), "photos", "-o", "raw")
    command(project, "git", "add", "-A")
    command(project, "git", "commit", "-qm", "imported")
    return source


def forget(project):
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "raw", ignore_errors=True)


def test_imported_photos_come_from_their_source_then_from_the_remote_or_the_way_out_is_told(imported, project):
    def pulled():
        forget(project)
        with Repo(str(project)) as repo:
            pull(repo, open_folder(repo))
        return sorted(path.name for path in (project / "raw").iterdir())

    assert pulled() == ["a.png", "b.png"]
    with Repo(str(project)) as repo:
        push(repo, open_folder(repo))
    shutil.rmtree(imported)
    assert pulled() == ["a.png", "b.png"]
    spoil(there(project, b"a.png"), b"half")
    with pytest.raises(DriveError, match="does not hold these as they were pushed: raw: a.png"):
        pulled()
    (out,) = yaml.safe_load((project / "raw.dvc").read_text())["outs"]
    (project.parent / "remote/files/md5" / out["md5"][:2] / out["md5"][2:]).unlink()
    with pytest.raises(
        DriveError, match=rf"raw: imported from photos \({imported}\), which gives it no more, .*dvc add raw"
    ):
        pulled()
