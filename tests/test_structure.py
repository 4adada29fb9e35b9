"""The rules of the tree: which way imports go, and that dvc.yaml names all that a stage reads."""

import ast
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from gentra_lora.params import Params

SRC = ROOT / "src"
PACKAGE = SRC / "gentra_lora"
STAGES = ("prepare", "cache_latents", "train", "evaluate")
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def imports(path):
    """Return the modules of the package that a file imports, as paths."""
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


def layer(path):
    relative = path.relative_to(PACKAGE)
    if relative.parts[0] in ("stages", "service"):
        return relative.parts[0]
    if relative.name == "cli.py" or relative.stem.endswith(("_command", "_commands")):
        return "cli"
    return "params" if relative.name == "params.py" else "library"


COMMANDS = ("params_commands.py", "model_commands.py", "picture_commands.py", "regenerate_command.py")
COMMANDS += ("doctor_command.py", "noise_command.py")
ALLOWED = {
    "library": {"library"},
    "params": {"library"},
    "stages": {"library", "params"},
    "service": {"service", "library"},
    "cli": {"cli", "library", "params", "stages", "service"},
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_only_the_allowed_way(path):
    for imported in imports(path) - {path}:
        shared = imported == PACKAGE / "stages/__init__.py" and layer(path) == "stages"
        assert shared or layer(imported) in ALLOWED[layer(path)], f"{path.name} must not import {imported.name}"


def test_nothing_in_the_package_imports_the_demo():
    names = {path.stem for path in (ROOT / "demo").glob("*.py")} - {"captions", "training"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] not in names | {"demo"}, path


def test_only_stages_and_command_line_read_params():
    readers = {p.name for p in PACKAGE.rglob("*.py") if PACKAGE / "params.py" in imports(p)}
    assert readers == {*COMMANDS, *(f"{stage}.py" for stage in STAGES)}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_every_module_that_the_stage_imports(stage):
    modules = {path.relative_to(ROOT).as_posix() for path in reached(PACKAGE / f"stages/{stage}.py")}
    modules.add("src/gentra_lora/__init__.py")
    templates = {path.with_suffix(".html") for path in reached(PACKAGE / f"stages/{stage}.py")}
    modules |= {path.relative_to(ROOT).as_posix() for path in templates if path.exists()}
    listed = {dep for dep in DVC["stages"][stage]["deps"] if dep.startswith("src/")}
    assert listed == modules


def params_read(stage):
    """Return the keys that a stage's source reads: params.block.key, or all of a block that is taken whole."""
    keys, blocks = set(), set()
    tree = ast.parse((PACKAGE / f"stages/{stage}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
            blocks.add(node.attr)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            inner = node.value
            if isinstance(inner.value, ast.Name) and inner.value.id == "params" and node.attr != "model_dump":
                keys.add(f"{inner.attr}.{node.attr}")
    whole = blocks - {key.split(".")[0] for key in keys}
    return keys | {f"{block}.{name}" for block in whole for name in Params.model_fields[block].annotation.model_fields}


@pytest.mark.parametrize("stage", STAGES)
def test_listed_params_are_those_that_the_stage_reads(stage):
    assert set(DVC["stages"][stage]["params"]) == params_read(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_of_a_stages_block_invalidates_it(stage):
    fields = Params.model_fields[stage].annotation.model_fields
    assert {f"{stage}.{name}" for name in fields} <= set(DVC["stages"][stage]["params"])


def paths_of(out):
    return list(out) if isinstance(out, dict) else [out]


def test_every_cached_output_is_ignored_by_a_static_line():
    outs = [path for stage in DVC["stages"].values() for out in stage["outs"] for path in paths_of(out)]
    ignored = subprocess.run(["git", "check-ignore", *outs], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert sorted(ignored) == sorted(outs)


def test_tests_mirror_the_package():
    mirrored = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    for path in PACKAGE.rglob("*.py"):
        relative = path.relative_to(PACKAGE)
        if path.name not in ("__init__.py", "errors.py"):
            assert (relative.parent / f"test_{relative.name}").as_posix() in mirrored, relative


def test_module_names_are_nouns_not_drawers():
    drawers = {"utils", "util", "common", "helpers", "core", "misc"}
    assert not drawers & {Path(path).stem for path in PACKAGE.rglob("*.py")}
