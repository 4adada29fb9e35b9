import hashlib
import json
from dataclasses import replace

import pytest

from gentra_lora.photos.manifest import ManifestError, Row, read_manifest, write_manifest


def digests(count, start=0):
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(start, start + count)]


def rows(*splits):
    return [Row(f"{n}.png", digests(1, n)[0], "caption ü", split, 64, 128) for n, split in enumerate(splits)]


def test_rows_come_back_as_written(tmp_path):
    written = rows("train", "held_out")
    write_manifest(tmp_path / "m.jsonl", written)
    assert read_manifest(tmp_path / "m.jsonl") == written


def test_row_may_hold_what_some_take_for_line_ends(tmp_path):
    written = [replace(row, file_name="a\u2028b\x85c.png") for row in rows("train", "held_out")]
    write_manifest(tmp_path / "m.jsonl", written)
    assert read_manifest(tmp_path / "m.jsonl") == written


@pytest.mark.parametrize(("present", "missing"), [("train", "held_out"), ("held_out", "train")])
def test_manifest_without_a_photo_in_each_split_is_refused(tmp_path, present, missing):
    write_manifest(tmp_path / "m.jsonl", rows(present, present))
    with pytest.raises(ManifestError, match=f"no photo is in the split {missing}; add photos and run prepare again"):
        read_manifest(tmp_path / "m.jsonl")


def test_unknown_split_is_refused_with_its_line(tmp_path):
    write_manifest(tmp_path / "m.jsonl", rows("train", "test"))
    with pytest.raises(ManifestError, match="line 2: split is 'test', must be one of train, held_out"):
        read_manifest(tmp_path / "m.jsonl")


@pytest.mark.parametrize("line", ['{"file_name": "a.png"}', "[]", "5"])
def test_line_that_is_no_row_is_refused(tmp_path, line):
    (tmp_path / "m.jsonl").write_text(line + "\n")
    with pytest.raises(ManifestError, match="line 1 is not a row; run prepare again"):
        read_manifest(tmp_path / "m.jsonl")


def test_row_of_an_older_version_without_a_size_is_refused(tmp_path):
    older = {"file_name": "a.png", "sha256": digests(1)[0], "caption": "a", "split": "train"}
    (tmp_path / "m.jsonl").write_text(json.dumps(older) + "\n")
    with pytest.raises(ManifestError, match="line 1 is not a row; run prepare again"):
        read_manifest(tmp_path / "m.jsonl")


def test_mask_comes_back_as_written(tmp_path):
    written = [replace(row, mask_sha256="1" * 64) for row in rows("train", "held_out")]
    write_manifest(tmp_path / "m.jsonl", written)
    assert read_manifest(tmp_path / "m.jsonl") == written
