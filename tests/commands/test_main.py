import subprocess
import sys
from io import BytesIO, TextIOWrapper

import click
import pytest

from gentra_lora.commands.main import main, parsed, work_of
from gentra_lora.commands.syntax.table import ENTRIES

HEAVY = {"torch", "diffusers", "transformers"}


def loaded_by(*words):
    """Return the names of all modules that are loaded when a command has ended."""
    code = """
import sys
from gentra_lora.commands.main import main
try:
    main()
finally:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["drive"], ["weights", "-h"], *([*p.split(), "--help"] for p in ENTRIES)]
)
def test_help_loads_neither_the_models_libraries_nor_dvc(words):
    assert not {*HEAVY, "dvc", "scipy", "numpy"} & loaded_by(*words)


@pytest.mark.parametrize("words", [["profile", "sd15_t4"], ["set", "train.rank=8"]])
def test_params_are_changed_without_the_models_libraries(demo_project, words):
    assert not HEAVY & loaded_by(*words)


@pytest.mark.parametrize(
    "words", [["weights", "list"], ["drive", "mount", "../remote"], ["weights", "show", "params.yaml"]]
)
def test_revisions_and_the_remote_are_looked_at_without_the_models_libraries(project, words):
    assert not HEAVY & loaded_by(*words)


def test_summary_is_shown_without_the_models_libraries(workspace):
    (workspace / "reports").mkdir()
    (workspace / "reports/report.html").touch()
    (workspace / "reports/metrics.json").write_text("{}")
    assert not HEAVY & loaded_by("summary")


def test_doctor_waits_for_torch_alone(demo_project):
    assert not {"diffusers", "transformers"} & loaded_by("doctor")


def test_words_are_read_without_running_anything():
    path, values = parsed(["drive", "oauth", "--folder", "abc"])
    assert (path, values) == ("drive oauth", {"folder": "abc", "credentials": None})


@pytest.mark.parametrize(
    "words", [["genrate"], ["drive", "pusch"], ["generate"], ["noise", "--seed", "3"], ["set", "a"]]
)
def test_words_that_are_not_understood_are_refused(words):
    with pytest.raises(click.UsageError):
        parsed(words)


def test_words_that_are_not_understood_end_with_2_and_where_help_is(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "a gentra", "--steps", "1001"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: --steps: 1001 is not from 1 to 1000\n`gentra-lora generate --help` shows how it is used\n"
    )


@pytest.mark.parametrize("words", [[], ["drive"]])
def test_no_command_at_all_shows_the_help_and_ends_with_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert "usage: gentra-lora" in err


def test_help_ends_with_0(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: gentra-lora COMMAND ...\n")


@pytest.mark.parametrize("path", [path for path, entry in ENTRIES.items() if entry.work])
def test_every_commands_work_is_where_the_table_says(path):
    assert callable(work_of(path))


def test_reader_that_has_seen_enough_is_no_error(project):
    done = subprocess.run(
        f"{sys.executable} -m gentra_lora.commands.main weights list | true", shell=True, capture_output=True
    )
    assert not done.stderr


def test_too_little_memory_is_one_sentence(monkeypatch):
    def full(**_):
        raise MemoryError

    monkeypatch.setattr("gentra_lora.commands.main.work_of", lambda path: full)
    with pytest.raises(SystemExit) as ended:
        main(["generate", "a gentra"])
    assert ended.value.code == (
        "error: generate: out of memory (MemoryError); close what else uses the device, or ask for smaller pictures or "
        "fewer"
    )


def test_letter_that_the_console_lacks_ends_no_command(monkeypatch):
    console = TextIOWrapper(BytesIO(), "cp1252")
    monkeypatch.setattr(sys, "stderr", console)
    with pytest.raises(SystemExit) as caught:
        main(["ғилдирак"])
    console.flush()
    assert caught.value.code == 2 and rb"\u0493" in console.buffer.getvalue()
