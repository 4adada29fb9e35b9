import re
import subprocess
import tomllib
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT, needs_git

pytestmark = pytest.mark.repository

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements-serve.lock").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["serve"]]
PINNED = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in LOCK}


def test_every_line_of_the_lock_pins_one_version_and_nothing_of_one_machine():
    for line in LOCK:
        assert re.fullmatch(r"[\w.-]+==[\w.!]+", line), line


@pytest.mark.parametrize("needed", [r for r in NEEDED if "!=" not in str(r.specifier)], ids=str)
def test_pinned_version_lies_in_the_range_of_the_project(needed):
    assert needed.specifier.contains(PINNED[canonicalize_name(needed.name)])


def is_cudas(name):
    return name.startswith(("cuda-", "nvidia-", "triton")) and name != "nvidia-ml-py"


def test_lock_leaves_cudas_packages_to_torch():
    assert not [name for name in PINNED if is_cudas(name)]


@pytest.mark.parametrize("name", sorted(PINNED))
def test_whatever_a_pinned_package_asks_for_is_pinned_too(name):
    asked = [Requirement(line) for line in requires(name) or []]
    needed = {canonicalize_name(r.name) for r in asked if r.marker is None or r.marker.evaluate({"extra": ""})}
    assert {other for other in needed if not is_cudas(other)} <= PINNED.keys()


def copied():
    return [word for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.M) for word in line.split()[:-1]]


@needs_git
@pytest.mark.parametrize("path", copied())
def test_what_is_copied_is_in_git_and_not_left_out_of_the_context(path):
    listed = subprocess.run(["git", "ls-files", path], cwd=ROOT, capture_output=True, text=True).stdout
    assert listed.strip()
    assert f"!{path}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_process_is_not_root_gets_signals_and_writes_to_one_folder():
    assert re.search(r"^USER [1-9]\d+$", DOCKERFILE, re.M)
    assert re.search(r'^ENTRYPOINT \["gentra-lora", "serve"\]$', DOCKERFILE, re.M)
    places = re.findall(r"(HOME|GENTRA_WEIGHTS_DIR|HF_HOME|DVC_SITE_CACHE_DIR)=(\S+)", DOCKERFILE)
    assert {name for name, _ in places} == {"HOME", "GENTRA_WEIGHTS_DIR", "HF_HOME", "DVC_SITE_CACHE_DIR"}
    assert all(place.startswith("/data") for _, place in places)


def test_pages_are_part_of_the_package():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert configured["package-data"] == {
        "gentra_lora.base.files": ["sd1/**"],
        "gentra_lora.evaluation.shown": ["*.html"],
        "gentra_lora.service": ["page/*"],
    }
