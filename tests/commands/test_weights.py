import hashlib

import pytest

from gentra_lora.adapter.file import kohya_tensors, write_adapter
from gentra_lora.commands.main import main
from tests.adapter.test_lora import trained
from tests.dvc_project import command, weights_of


def test_pull_says_what_it_pulled(project, tmp_path, capsys):
    main(["weights", "pull", "--rev", "first", "--dest", str(tmp_path / "w")])
    assert (tmp_path / "w/sport_gentra_lora.safetensors").read_bytes() == weights_of(8)
    assert "sport_gentra_lora.safetensors: 18 bytes of commit " in capsys.readouterr().out


def test_pull_says_that_the_metrics_of_a_commit_are_not_of_its_weights(project, tmp_path, capsys):
    (project / "reports/metrics.json").write_text("{}")
    command(project, "git", "commit", "-qam", "other figures")
    main(["weights", "pull", "--rev", "main", "--dest", str(tmp_path / "w")])
    assert "without metrics, since those of the commit are not of these weights: reports/" in capsys.readouterr().out


def test_unknown_revision_ends_with_one_line(project, tmp_path):
    with pytest.raises(SystemExit, match="error: .* at nowhere: "):
        main(["weights", "pull", "--rev", "nowhere", "--dest", str(tmp_path)])


def test_list_names_revisions_with_metrics_and_where_their_weights_are(project, capsys):
    main(["weights", "list"])
    rows = {line.split()[1]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["wide"][3:5] == ["0.0640", "0.9000"]
    assert rows["first"][-1] == rows["wide"][-1] == "yes"


def without_remote(project):
    command(project, "dvc", "remote", "remove", "-q", "--local", "drive")
    command(project, "dvc", "remote", "remove", "-q", "drive")


def test_list_without_a_remote_shows_what_is_in_the_cache_and_what_is_nowhere(project, capsys):
    without_remote(project)
    md5 = hashlib.md5(weights_of(8)).hexdigest()
    (project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    main(["weights", "list"])
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["wide"].endswith("  no remote")
    assert lines["first"].endswith("  no remote, and not in DVC's cache")


def test_list_of_a_remote_that_is_gone_ends_with_an_error(project):
    command(project, "dvc", "remote", "modify", "-q", "--local", "drive", "url", "/nowhere/at/all")
    with pytest.raises(SystemExit, match="error: /nowhere/at/all: is not there"):
        main(["weights", "list"])


def test_list_before_anything_is_trained_says_what_to_do(tmp_path, monkeypatch, capsys):
    command(tmp_path, "git", "init", "-q")
    command(tmp_path, "dvc", "init", "-q")
    command(tmp_path, "git", "commit", "-qm", "first")
    monkeypatch.chdir(tmp_path)
    main(["weights", "list"])
    assert capsys.readouterr().out == "nothing is trained yet: `dvc repro`\n"


def test_show_prints_where_an_adapter_came_from(tmp_path, tiny_unet, capsys):
    write_adapter(
        tmp_path / "a.safetensors", kohya_tensors(trained(tiny_unet), 2), {"format": "pt", "gentra.base": "b"}
    )
    main(["weights", "show", str(tmp_path / "a.safetensors")])
    assert "gentra.base" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"junk"])
def test_show_tells_what_is_no_adapter(tmp_path, content):
    if content:
        (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(SystemExit, match=r"a\.safetensors: cannot be read as safetensors"):
        main(["weights", "show", str(tmp_path / "a.safetensors")])
