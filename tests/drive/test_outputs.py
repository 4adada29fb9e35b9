import shutil

from gentra_lora.drive.outputs import outputs_back
from tests.dvc_project import weights_of

WEIGHTS = "models/sport_gentra_lora.safetensors"


def test_outputs_that_are_gone_come_back(project):
    shutil.rmtree(project / "models")
    assert outputs_back(project) == ["outputs are back from DVC's cache"]
    assert (project / WEIGHTS).read_bytes() == weights_of(32)


def test_photos_that_were_added_by_hand_are_not_touched(project):
    (project / "data").mkdir()
    (project / "data/new.png").write_bytes(b"mine")
    outputs_back(project)
    assert (project / "data/new.png").read_bytes() == b"mine"
