import shutil

import pytest

from gentra_lora.commands.main import main
from gentra_lora.params import load_params
from tests.conftest import ROOT
from tests.dvc_project import command

pytestmark = pytest.mark.repository


def test_local_base_is_set_and_watched_by_dvc(demo_project):
    shutil.copytree(ROOT / "models/nano-sd", demo_project / "models/mine")
    main(["base", "models/mine"])
    assert load_params().base.model == "models/mine"
    assert (demo_project / "dvc.yaml").read_text().count("- models/mine\n") == 4


def test_local_base_that_neither_git_nor_dvc_keeps_is_noted(demo_project, capsys):
    command(demo_project, "dvc", "init", "-q")
    shutil.copytree(ROOT / "models/nano-sd", demo_project / "models/mine")
    main(["base", "models/mine"])
    assert "note: models/mine: " in capsys.readouterr().out
    command(demo_project, "dvc", "add", "-q", "models/mine")
    main(["base", "models/mine"])
    assert "note" not in capsys.readouterr().out


def test_base_that_cannot_be_one_changes_nothing(demo_project):
    before = (demo_project / "dvc.yaml").read_bytes(), (demo_project / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match="owner/name is no path that exists; as a hub id it needs its revision"):
        main(["base", "owner/name"])
    assert ((demo_project / "dvc.yaml").read_bytes(), (demo_project / "params.yaml").read_bytes()) == before


def test_lora_says_how_many_weights_are_trained(demo_project, capsys):
    main(["lora"])
    assert capsys.readouterr().out.startswith("rank 32, alpha 32, on attention+ff+conv: ")


def test_prediction_type_is_set_and_another_base_forgets_it(demo_project):
    shutil.copytree(ROOT / "models/nano-sd", demo_project / "models/mine")
    main(["base", "models/mine", "--prediction-type", "v_prediction"])
    assert load_params().base.prediction_type == "v_prediction"
    main(["base", "models/nano-sd"])
    assert load_params().base.prediction_type is None


@pytest.mark.parametrize("command", [["base", "models/mine"], ["lora"]])
def test_base_that_is_not_whole_is_one_sentence(demo_project, command):
    shutil.copytree(ROOT / "models/nano-sd", demo_project / "models/mine")
    main(["base", "models/mine"])
    (demo_project / "models/mine/tokenizer/tokenizer.json").unlink()
    with pytest.raises(SystemExit, match=r"^error: base\.model: models/mine/tokenizer lacks vocab\.json and merges"):
        main(command)


def test_revision_of_digits_alone_is_a_revision(demo_project):
    main(["base", "owner/name", "--revision", "1" * 40])
    assert load_params().base.revision == "1" * 40
