import subprocess
import sys

import pytest

from gentra_lora.commands.main import MODULES, main, parser


@pytest.mark.parametrize("name", MODULES)
def test_command_stands_in_the_module_that_is_imported_for_it(name, capsys):
    with pytest.raises(SystemExit) as ended:
        parser(name).parse_args([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: gentra-lora {name}" in capsys.readouterr().out


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in MODULES)


def test_unknown_command_is_told_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["pictures"])
    assert "'pictures'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["set", "drive", "weights"])
def test_commands_that_need_no_model_do_not_load_its_libraries(name):
    code = f"import sys; from gentra_lora.commands.main import parser; parser({name!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "diffusers", "transformers"} & set(loaded)
