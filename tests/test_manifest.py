import hashlib

import pytest

from gentra_lora.manifest import ManifestError, Row, read_manifest, write_manifest


def digests(count, start=0):
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(start, start + count)]


def rows(*splits):
    return [Row(f"{n}.png", digests(1, n)[0], "caption ü", split, 64, 128) for n, split in enumerate(splits)]


def test_rows_come_back_as_written(tmp_path):
    written = rows("train", "held_out")
    write_manifest(tmp_path / "m.jsonl", written)
    assert read_manifest(tmp_path / "m.jsonl") == written


def test_manifest_without_a_held_out_photo_is_refused(tmp_path):
    write_manifest(tmp_path / "m.jsonl", rows("train", "train"))
    with pytest.raises(ManifestError, match="no photo is in the split held_out"):
        read_manifest(tmp_path / "m.jsonl")


def test_unknown_split_is_refused_with_its_line(tmp_path):
    write_manifest(tmp_path / "m.jsonl", rows("train", "test"))
    with pytest.raises(ManifestError, match="line 2: split is 'test'"):
        read_manifest(tmp_path / "m.jsonl")


def test_line_that_is_no_row_is_refused(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"file_name": "a.png"}\n')
    with pytest.raises(ManifestError, match="line 1 is not a row"):
        read_manifest(tmp_path / "m.jsonl")
