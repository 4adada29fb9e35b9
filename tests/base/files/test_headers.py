"""What a file is, by its first bytes: one sentence for each kind of wrong file that people have."""

import json
import shlex
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from gentra_lora.base.files.headers import check_files, read_header, read_json, some
from gentra_lora.base.source import BaseModelError
from tests.base.damage import LFS
from tests.base.damage import refusal as sentence_of

KEY = "base.model"


def refusal(read, path):
    words = sentence_of(read, KEY, path)
    assert words.startswith("base.model: ") and str(path) in words
    return words


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.ones(4)}, path, metadata={"modelspec.title": "mine"})
    return path


def test_names_shapes_and_words_are_read(weights):
    header = read_header(KEY, weights)
    assert header.shapes == {"a": (2, 3), "b": (4,)}
    assert header.metadata == {"modelspec.title": "mine"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; download it again"),
        (LFS.encode(), "is a pointer of Git LFS, not the file; run `git lfs pull`"),
        (b"my notes on bases", r"is no \.safetensors file"),
        (b"<!DOCTYPE html><html>log in</html>", "is a web page or a site's answer"),
        (b"\n<html>", "is a web page or a site's answer"),
        (b'{"error": "unauthorized"}', "is a web page or a site's answer"),
        (b'{\n  "_class_name": "StableDiffusionPipeline"\n}', "is a JSON file, not weights; name the folder"),
        (b"GGUF\x03\0\0\0", r"is a GGUF file of quantised weights; take the model's \.safetensors"),
        (b"\x80\x02}q\0", "is a pickle, which can run code when it is opened; convert it once"),
        (b"\xff\xff\xff\xff\0\0\0\0{}", r"is no \.safetensors file"),
        (b"\x08\0\0\0\0\0\0\0{]]]]]]]", "is damaged; download it again"),
        (b'\x0a\0\0\0\0\0\0\0{"a": {} } ', "is damaged; download it again"),
        (b"\x02\0\0\0\0\0\0\0{}", "holds no weights"),
    ],
)
def test_other_files_are_refused_with_what_they_are(tmp_path, content, says):
    path = tmp_path / "base.safetensors"
    path.write_bytes(content)
    with pytest.raises(BaseModelError, match=says):
        read_header(KEY, path)
    refusal(read_header, path)


@pytest.mark.parametrize("kept", [10, 60])
def test_file_that_ends_within_its_header_is_cut(weights, kept):
    weights.write_bytes(weights.read_bytes()[:kept])
    assert "is cut: it ends within its header; download it again" in refusal(read_header, weights)


def test_file_that_lacks_its_last_bytes_is_cut(weights):
    size = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[:-4])
    assert f"is cut: {size - 4} bytes, not {size}; download it again" in refusal(read_header, weights)


def test_file_with_more_than_its_header_says_is_refused(weights):
    weights.write_bytes(weights.read_bytes() + b"more")
    assert "is too long" in refusal(read_header, weights)


def test_pickle_is_refused_with_the_command_that_converts_it(tmp_path):
    path = tmp_path / "my base.ckpt"
    weights = {"a": torch.rand(3, 2).T, "b": torch.rand(4)}
    torch.save({"state_dict": weights, "epoch": 3}, path)
    words = shlex.split(refusal(read_header, path).partition("convert it once: ")[2])
    subprocess.run([sys.executable, *words[1:]], check=True)
    converted = load_file(words[-1])
    assert converted.keys() == weights.keys()
    assert all(torch.equal(converted[key], weights[key]) for key in weights)


def test_pickle_under_the_name_of_safetensors_is_not_written_over_by_the_command(tmp_path):
    path = tmp_path / "base.safetensors"
    torch.save({"a": torch.ones(2)}, path)
    assert refusal(read_header, path).endswith("base_weights.safetensors")


def test_json_gives_its_object(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"a": 1}')
    assert read_json(KEY, path) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no valid JSON; download it again"),
        (b'{"a": ', "is no valid JSON; download it again"),
        (b"\xff\xfe\0", "is no valid JSON; download it again"),
        (LFS.encode(), "is a pointer of Git LFS"),
        (json.dumps([1]).encode(), "holds no JSON object"),
    ],
)
def test_json_that_is_none_is_refused(tmp_path, content, says):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert says in refusal(read_json, path)


def test_json_that_is_not_there_is_named(tmp_path):
    assert "is missing; download the model again" in refusal(read_json, tmp_path / "config.json")


def test_folder_is_whole_when_each_of_its_files_is(tmp_path, weights):
    (tmp_path / "config.json").write_text("{}")
    check_files(KEY, str(tmp_path))
    check_files(KEY, "owner/name")  # of a hub id nothing lies here
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(BaseModelError, match=r"^base\.model: .*weights\.safetensors is cut"):
        check_files(KEY, str(tmp_path))
    weights.unlink()
    (tmp_path / "config.json").write_text(LFS)
    with pytest.raises(BaseModelError, match=r"config\.json is a pointer of Git LFS"):
        check_files(KEY, str(tmp_path))


def test_only_the_first_of_many_names_are_told():
    assert some(["c", "a"]) == "a, c"
    assert some("edcba") == "a, b, c and 2 more"
