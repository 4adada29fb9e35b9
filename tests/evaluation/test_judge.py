import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gentra_lora.base.source import BaseModelError
from gentra_lora.evaluation.judge import Judge, load_judge
from gentra_lora.photos.photo import open_upright
from tests.conftest import ROOT

PICTURES = list(np.random.default_rng(1).integers(0, 256, (3, 96, 64, 3), dtype=np.uint8))


@pytest.fixture
def judge():
    torch.manual_seed(1)
    return Judge({"colour": 3, "features": 6})


def saved(judge, path):
    save_file({name: value.contiguous() for name, value in judge.state_dict().items()}, path)
    return str(path)


def test_loaded_judge_counts_as_the_saved_one_did(judge, tmp_path):
    found = load_judge("evaluate.judge", saved(judge, tmp_path / "judge.safetensors")).features_shown(PICTURES)
    assert found == judge.features_shown(PICTURES)
    assert all(0 <= count <= 6 for count in found)


def test_picture_is_counted_alike_alone_and_among_others(judge):
    assert [judge.features_shown([picture])[0] for picture in PICTURES] == judge.features_shown(PICTURES)


@pytest.mark.repository
def test_judge_of_the_demo_sees_the_subjects_features_on_its_photos():
    judge = load_judge("evaluate.judge", str(ROOT / "demo/judge.safetensors"))
    photos = [np.asarray(open_upright(path)) for path in sorted((ROOT / "data/demo/images").iterdir())[:8]]
    assert sum(judge.features_shown(photos)) / 8 > 5


def test_missing_file_and_other_weights_are_refused_with_the_way_out(judge, tmp_path):
    with pytest.raises(BaseModelError, match=r"evaluate\.judge: nowhere\.safetensors: no such file; .* or null"):
        load_judge("evaluate.judge", "nowhere.safetensors")
    save_file({"weight": torch.ones(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(BaseModelError, match=r"evaluate\.judge: .*other\.safetensors is of another network"):
        load_judge("evaluate.judge", str(tmp_path / "other.safetensors"))
    path = saved(Judge({"colour": 3}), tmp_path / "blind.safetensors")
    with pytest.raises(BaseModelError, match="has no head 'features'"):
        load_judge("evaluate.judge", path)
