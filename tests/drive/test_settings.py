import locale
import os

import pytest
from dvc.config import Config

from gentra_lora.drive.settings import WholeConfig
from gentra_lora.errors import InputError


@pytest.fixture
def name(tmp_path):
    """A function that makes a folder the remote in the settings of `tmp_path`."""
    Config.init(str(tmp_path))

    def named(folder):
        with WholeConfig(str(tmp_path), str(tmp_path)).edit("local") as edited:
            edited["remote"]["drive"] = {"url": folder}

    return named


def test_letters_beyond_ascii_are_read_again_by_dvc(tmp_path, name):
    for folder in ("/mnt/Мой диск, #1", "/mnt/マイドライブ"):
        name(folder)
        assert Config(str(tmp_path), str(tmp_path))["remote"]["drive"]["url"] == folder


def test_what_dvc_would_misread_or_is_no_utf_8_leaves_the_file_as_it_was(tmp_path, name, monkeypatch):
    name("/mnt/Мой диск")
    before = (tmp_path / "config.local").read_bytes()
    with pytest.raises(InputError, match="has a name that is not UTF-8; rename it"):
        name(os.fsdecode(b"/mnt/\xcc\xee\xe9"))
    monkeypatch.setattr(locale, "getpreferredencoding", lambda do_setlocale=True: "cp1251")
    with pytest.raises(InputError, match="DVC would read its letters as cp1251; set PYTHONUTF8=1"):
        name("/mnt/Общие диски")
    assert (tmp_path / "config.local").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "config.local"]
