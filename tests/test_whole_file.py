import os

import pytest

from gentra_lora.whole_file import write_whole


def test_file_is_moved_into_place_and_nothing_is_left_beside_it(tmp_path):
    write_whole(tmp_path / "a.txt", lambda path: path.write_bytes(b"new"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"new"}


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_old_file_stays_until_the_new_one_is_whole(tmp_path, monkeypatch, moment):
    def killed(*_):
        raise KeyboardInterrupt

    (tmp_path / "a.txt").write_bytes(b"old")
    if moment != "write":
        monkeypatch.setattr(os, moment, killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.txt", killed if moment == "write" else lambda path: path.write_bytes(b"new"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"old"}
