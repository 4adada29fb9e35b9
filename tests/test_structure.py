"""The rules of the tree: which room may import from which, how large a room is, and that dvc.yaml names them all."""

import ast
import re
import subprocess
from functools import cache

import pytest
import yaml

from gentra_lora.stages import train
from tests.conftest import ROOT, needs_git, shipped_dvc_yaml

pytestmark = pytest.mark.repository

SRC = ROOT / "src"
PACKAGE = SRC / "gentra_lora"
STAGES = ("prepare", "cache_latents", "train", "evaluate")
DVC = yaml.safe_load(shipped_dvc_yaml())

TOP = ("params.py", "errors.py", "git.py", "whole_file.py")
LEAVES = {"base", "photos", "drive"}
LEARNING = {"base", "photos", "adapter", "pictures", "latents"}
MAY_IMPORT = {
    "base": set(),
    "photos": set(),
    "drive": set(),
    "adapter": {"base"},
    "pictures": {"base", "adapter", "photos"},
    "latents": {"base", "photos", "pictures"},
    "training": LEARNING,
    "evaluation": LEARNING | {"training"},
    "revisions": {"drive", "evaluation"},
    "stages": LEARNING | {"training", "evaluation"},
    "service": LEARNING | {"training", "evaluation", "drive", "revisions"},
    "commands": LEARNING | {"training", "evaluation", "drive", "revisions", "stages", "service"},
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


@cache
def imports(path):
    """Return the modules of the package that a file imports, as paths; of a package, its __init__.py."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    found = set()
    for name in names:
        place = SRC / name.replace(".", "/")
        found |= {p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()}
    return found


def reached(path):
    """Return all modules that a file imports, directly or not, with itself."""
    seen, waiting = set(), [path]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += imports(module)
    return seen


def room(path):
    """Return the package that a module lives in, or its file name where it lies at the top."""
    return path.relative_to(PACKAGE).parts[0]


def forbidden(path):
    """Return the modules that a file imports from rooms that its own must not import from."""
    if room(path) in TOP:
        return {module for module in imports(path) if room(module) not in (*TOP, "__init__.py")}
    allowed = {room(path), "__init__.py", *TOP, *MAY_IMPORT[room(path)]}
    return {module for module in imports(path) if room(module) not in allowed}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_only_the_allowed_way(path):
    assert not forbidden(path), f"{path.relative_to(PACKAGE)} must not import {forbidden(path)}"


def test_within_the_service_jobs_know_nothing_of_http():
    for path in (PACKAGE / "service/jobs").glob("*.py"):
        assert not any("http" in module.parts for module in imports(path)), path


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_module_imports_itself_by_way_of_others(path):
    for imported in imports(path):
        assert imported.name == "__init__.py" or path not in reached(imported), f"{path.name} and {imported.name}"


def test_at_the_top_lie_the_four_that_all_may_use_and_the_rooms():
    names = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert names == {"__init__.py", *TOP, *MAY_IMPORT}


PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))[1:]


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_room_holds_4_to_16_modules_at_most_two_levels_deep(folder):
    assert 4 <= len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 16
    assert len(folder.relative_to(PACKAGE).parts) <= 2


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_rooms_init_is_one_docstring_that_says_where_to_start_and_what_it_may_import(folder):
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    text = ast.get_docstring(tree)
    assert len(tree.body) == 1 and "Start with " in text and "May import: " in text


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_in_a_room_a_name_drops_the_rooms_word(folder):
    words = {folder.name, folder.name.removesuffix("s")}
    repeated = [path.stem for path in folder.glob("*.py") if words & {*path.stem.split("_")[:-1]}]
    assert not repeated


def test_nothing_in_the_package_imports_the_demo():
    names = {path.stem for path in (ROOT / "demo").glob("*.py")}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] not in names | {"demo"}, path


def test_only_stages_and_command_line_know_the_params():
    readers = {path for path in MODULES if PACKAGE / "params.py" in imports(path)}
    assert {room(path) for path in readers} == {"stages", "commands", "revisions"}
    for path in (PACKAGE / "revisions").glob("*.py"):  # they read a commit's text, as plain values
        names = re.findall(r"^from gentra_lora.params import (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        known = {"parse_params", "params_text", "ParamsTextError"}
        assert {name for line in names for name in line.split(", ")} <= known, path


def rooms_in(deps):
    """Return the rooms, and the modules of stages, that a stage's deps name."""
    ignored = (ROOT / ".dvcignore").read_text(encoding="utf-8").split()
    hidden = {line.removeprefix("/src/gentra_lora/") for line in ignored if line.startswith("/src/")}
    named = {dep.removeprefix("src/gentra_lora/") for dep in deps if dep.startswith("src/gentra_lora/")}
    if "src/gentra_lora" in deps:
        named |= {*MAY_IMPORT, *(f"stages/{path.name}" for path in (PACKAGE / "stages").glob("*.py"))} - {"stages"}
    return named - hidden


def rooms_of(stage):
    """Return the rooms, and the modules of stages, that a stage imports from. The top changes no result."""
    modules = {path for path in reached(PACKAGE / f"stages/{stage}.py") if path.name != "__init__.py"}
    inner = {path.relative_to(PACKAGE).as_posix() for path in modules if room(path) == "stages"}
    return inner | {room(path) for path in modules} - {"stages", *TOP}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_every_room_that_the_stage_imports_from(stage):
    assert rooms_of(stage) <= rooms_in(DVC["stages"][stage]["deps"])


def test_a_checkpoint_is_of_the_code_that_dvc_yaml_names():
    assert {*train.ROOMS} == {name for name in rooms_in(DVC["stages"]["train"]["deps"]) if "/" not in name}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_no_room_that_the_stage_does_not_import_from(stage):
    named = rooms_in(DVC["stages"][stage]["deps"])
    assert {name for name in named if not name.startswith("stages/")} <= rooms_of(stage)


def test_dvc_yaml_reads_as_a_table_of_contents():
    assert len(shipped_dvc_yaml().splitlines()) <= 140
    assert all(len(stage["deps"]) <= 12 for stage in DVC["stages"].values())
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8").split()


def params_read(stage):
    """Return the keys that a stage's source reads: params.block.key, or a block that is taken whole."""
    keys, blocks = set(), set()
    tree = ast.parse((PACKAGE / f"stages/{stage}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
            blocks.add(node.attr)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            inner = node.value
            if isinstance(inner.value, ast.Name) and inner.value.id == "params" and node.attr != "model_dump":
                keys.add(f"{inner.attr}.{node.attr}")
    whole = (blocks - {key.split(".")[0] for key in keys}) | {stage}
    return {key for key in keys if key.split(".")[0] not in whole} | whole


@pytest.mark.parametrize("stage", STAGES)
def test_listed_params_are_those_that_the_stage_reads_and_its_own_block(stage):
    assert set(DVC["stages"][stage]["params"]) == params_read(stage)


def paths_of(out):
    return list(out) if isinstance(out, dict) else [out]


def test_a_stage_that_is_refused_costs_no_output_that_dvc_would_delete_before_it():
    outs = [out for stage in DVC["stages"].values() for out in stage["outs"]]
    assert all(isinstance(out, dict) and all(value == {"persist": True} for value in out.values()) for out in outs)


@needs_git
def test_every_cached_output_is_ignored_by_a_static_line():
    outs = [path for stage in DVC["stages"].values() for out in stage["outs"] for path in paths_of(out)]
    ignored = subprocess.run(["git", "check-ignore", *outs], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert sorted(ignored) == sorted(outs)


def test_tests_mirror_the_package():
    mirrored = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    for path in MODULES:
        relative = path.relative_to(PACKAGE)
        if path.name != "errors.py":
            assert (relative.parent / f"test_{relative.name}").as_posix() in mirrored, relative


def json_writers(path):
    """Return the lines on which a file writes JSON by the standard library itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("dump", "dumps")]
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "json"]
    return [node.lineno for node in calls if ast.unparse(node.value) == "json"] + [node.lineno for node in taken]


def test_json_is_written_by_the_one_function_that_lets_no_nan_through():
    writers = {path.relative_to(PACKAGE).as_posix() for path in MODULES if json_writers(path)}
    # The service's answers are built of checked values; pydantic and starlette refuse NaN there.
    assert {name for name in writers if not name.startswith("service/")} == {"whole_file.py"}


def test_module_names_are_nouns_not_drawers():
    drawers = {"utils", "util", "common", "helpers", "core", "misc"}
    assert not drawers & {path.stem for path in (*MODULES, *PACKAGES)}
