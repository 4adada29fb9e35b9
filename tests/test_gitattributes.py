"""A clone holds the bytes that were committed, whatever `core.autocrlf`, on by default in Git for Windows, would do."""

import shutil

import pytest

from gentra_lora.base.source import BaseSource, base_identity
from tests.conftest import ROOT
from tests.dvc_project import command

FILES = {
    "src/gentra_lora/stages/prepare.py": b"import json\n",
    "params.yaml": b"train:\n  rank: 8\n",
    "data/raw/captions.txt": b"a.png\ta gentra\r\nb.png\ta gentra\n",
    "docs/demo/grid.png": b"\x89PNG of letters alone\r\n",
    "models/mine/tokenizer/merges.txt": b"#version: 0.2\r\ni n\r\n",
    "models/mine/unet.safetensors": b"{}\n\r\n",
}


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_clone_holds_the_bytes_that_were_committed(tmp_path, autocrlf):
    made = tmp_path / "made"
    for name, content in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    shutil.copy(ROOT / ".gitattributes", made)
    command(made, "git", "init", "-q")
    command(made, "git", "-c", f"core.autocrlf={autocrlf}", "add", "-A")
    command(made, "git", "commit", "-qm", "x")
    command(tmp_path, "git", "clone", "-q", "-c", f"core.autocrlf={autocrlf}", str(made), "clone")
    assert {name: (tmp_path / "clone" / name).read_bytes() for name in FILES} == FILES
    one, other = (base_identity(BaseSource(str(folder / "models/mine"))) for folder in (made, tmp_path / "clone"))
    assert one == other
    assert not command(tmp_path / "clone", "git", "status", "--porcelain")


def test_code_written_with_windows_line_ends_is_committed_without_them(tmp_path):
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    (tmp_path / "train.py").write_bytes(b"import json\r\n")
    command(tmp_path, "git", "init", "-q")
    command(tmp_path, "git", "add", "-A")
    assert command(tmp_path, "git", "ls-files", "--eol", "train.py").split()[0] == "i/lf"
