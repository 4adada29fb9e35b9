import json
import shutil

import pytest

from gentra_lora.commands.main import main
from tests.drive.test_credentials import ROBOT
from tests.dvc_project import command, weights_of


def test_mounted_folder_is_set_up_filled_and_proved(project, tmp_path, capsys):
    store = tmp_path / "drive/MyDrive/store"
    store.mkdir(parents=True)
    main(["drive", "mount", str(store)])
    assert (store / "files/md5").is_dir()
    main(["drive", "push"])
    with pytest.raises(SystemExit) as ended:
        main(["drive", "check"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"{store} is the remote" in shown
    assert "pushed " in shown
    assert "10 objects of branches, tags and experiments: all there" in shown


def test_check_ends_with_1_and_the_list_where_something_is_lost(project, capsys):
    for path in (project.parent / "remote/files/md5").glob("??/*"):
        path.unlink()
    with pytest.raises(SystemExit) as ended:
        main(["drive", "check"])
    assert ended.value.code == 1
    assert "models/sport_gentra_lora.safetensors of HEAD: " in capsys.readouterr().out


def test_check_ends_with_1_where_photos_are_in_neither_git_nor_dvc(project, capsys):
    (project / "params.yaml").write_text((project / "params.yaml").read_text() + "prepare:\n  raw_dir: data/raw\n")
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/a.png").touch()
    with pytest.raises(SystemExit) as ended:
        main(["drive", "check"])
    assert ended.value.code == 1
    assert "data/raw: 1 file in neither git nor DVC (data/raw/a.png)" in capsys.readouterr().out


def test_pull_brings_the_files_and_says_how_many(project, capsys):
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "models")
    main(["drive", "pull"])
    assert (project / "models/sport_gentra_lora.safetensors").read_bytes() == weights_of(32)
    assert "pulled 4 objects from" in capsys.readouterr().out


def test_wrong_kind_of_key_changes_nothing(project, tmp_path):
    (tmp_path / "key.json").write_text(json.dumps({"type": "service_account", **ROBOT}))
    before = command(project, "git", "status", "--porcelain")
    with pytest.raises(SystemExit, match="is the key of a service account, not of a log-in"):
        main(["drive", "oauth", "--credentials", str(tmp_path / "key.json"), "--folder", "1aBcDeFgHiJkLmNoPqRsT"])
    assert command(project, "git", "status", "--porcelain") == before


def test_folder_outside_of_a_project_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="is no clone of this project"):
        main(["drive", "push"])


def test_log_in_does_not_write_over_a_file(tmp_path):
    (tmp_path / "client.json").write_text(json.dumps({"installed": {"client_id": "c", "client_secret": "s"}}))
    (tmp_path / "key.json").write_text("mine")
    with pytest.raises(SystemExit, match=r"--out: .*key\.json is there already"):
        main(["drive", "login", "--client", str(tmp_path / "client.json"), "--out", str(tmp_path / "key.json")])
    assert (tmp_path / "key.json").read_text() == "mine"


def test_log_in_is_not_written_where_git_would_take_it(project, tmp_path):
    (tmp_path / "client.json").write_text(json.dumps({"installed": {"client_id": "c", "client_secret": "s"}}))
    with pytest.raises(SystemExit, match="a key must not get into git"):
        main(["drive", "login", "--client", str(tmp_path / "client.json"), "--out", "key.json"])


def test_refused_log_in_leaves_no_file(tmp_path, monkeypatch):
    (tmp_path / "client.json").write_text(json.dumps({"installed": {"client_id": "c", "client_secret": "s"}}))
    monkeypatch.setattr("builtins.input", lambda _: "http://localhost:8080/?error=access_denied")
    words = ["drive", "login", "--client", str(tmp_path / "client.json"), "--out", str(tmp_path / "key.json")]
    with pytest.raises(SystemExit, match="access_denied"):
        main([*words, "--paste"])
    assert not (tmp_path / "key.json").exists()
