import json
import os

import pytest

from gentra_lora.errors import InputError
from gentra_lora.whole_file import json_text, write_json, write_whole


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


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_number_that_json_has_not_is_refused_by_its_key_and_the_old_file_stays(tmp_path, number):
    write_json(tmp_path / "a.json", {"loss": 0.5})
    with pytest.raises(InputError, match=rf"a\.json: rows\[1\]: loss is {number}, which JSON cannot hold"):
        write_json(tmp_path / "a.json", {"rows": [{"loss": 0.1}, {"loss": float(number)}]})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.json": '{"loss": 0.5}\n'}


def test_letters_are_written_as_they_are_and_what_is_written_reads_back(tmp_path):
    values = {"caption": "седан 🚗", "none": None, "size": [1, 2.5]}
    write_json(tmp_path / "a.json", values, indent=1)
    assert "седан 🚗" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(json_text(values, ensure_ascii=True)) == values
