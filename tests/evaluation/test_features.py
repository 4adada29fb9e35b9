import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Dinov2Config, Dinov2Model

from gentra_lora.base.source import BaseModelError
from gentra_lora.evaluation.features import FeatureModel

CPU = torch.device("cpu")


def pictures(count):
    return np.random.default_rng(1).integers(0, 256, (count, 48, 48, 3), dtype=np.uint8)


def test_pictures_become_unit_vectors_that_do_not_depend_on_the_batch(tiny_clip):
    model = FeatureModel("evaluate.likeness_model", str(tiny_clip), None, CPU)
    features = model.of_pictures(pictures(5))
    assert features.shape == (5, 16)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(model.of_pictures(pictures(5), batch_size=2), features, rtol=1e-4, atol=1e-5)


def test_prompts_become_unit_vectors(tiny_clip):
    model = FeatureModel("evaluate.prompt_model", str(tiny_clip), None, CPU)
    features = model.of_prompts(["a car", "a van"])
    assert features.shape == (2, 16)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    assert not torch.equal(features[0], features[1])


def test_model_without_text_tower_gives_its_class_token(tmp_path, tiny_clip):
    config = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
    Dinov2Model(Dinov2Config(**config)).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text((tiny_clip / "preprocessor_config.json").read_text())
    model = FeatureModel("evaluate.likeness_model", str(tmp_path), None, CPU)
    assert model.of_pictures(pictures(2)).shape == (2, 32)
    with pytest.raises(BaseModelError, match=r"evaluate\.likeness_model: .* has no text tower"):
        model.of_prompts(["a car"])


@pytest.fixture
def damaged_clip(tiny_clip, tmp_path):
    return Path(shutil.copytree(tiny_clip, tmp_path / "clip"))


def rewritten(folder, change):
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})


def test_model_that_lacks_a_weight_does_not_measure_by_random_ones(damaged_clip):
    rewritten(damaged_clip, lambda w: {name: value for name, value in w.items() if name != "visual_projection.weight"})
    with pytest.raises(BaseModelError, match=r"^evaluate\.likeness_model: .* lacks 1 .* \(visual_projection\.weight\)"):
        FeatureModel("evaluate.likeness_model", str(damaged_clip), None, CPU)


def test_model_of_no_numbers_is_refused(damaged_clip):
    rewritten(damaged_clip, lambda w: w | {"visual_projection.weight": w["visual_projection.weight"] * float("nan")})
    with pytest.raises(BaseModelError, match=r"visual_projection\.weight of the model is not finite"):
        FeatureModel("evaluate.likeness_model", str(damaged_clip), None, CPU)


def test_model_that_is_cut_is_one_sentence(damaged_clip):
    path = damaged_clip / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BaseModelError, match=r"^evaluate\.likeness_model: .*model\.safetensors is cut"):
        FeatureModel("evaluate.likeness_model", str(damaged_clip), None, CPU)


def test_prompts_are_not_measured_without_a_vocabulary(damaged_clip):
    (damaged_clip / "tokenizer.json").unlink()
    model = FeatureModel("evaluate.prompt_model", str(damaged_clip), None, CPU)
    with pytest.raises(BaseModelError, match=r"^evaluate\.prompt_model: .*"):
        model.of_prompts(["a car"])


def test_hub_id_without_revision_is_refused_by_its_key():
    with pytest.raises(BaseModelError, match=r"evaluate\.likeness_model: owner/model"):
        FeatureModel("evaluate.likeness_model", "owner/model", None, CPU)


def test_folder_without_a_model_is_refused_by_its_key(tmp_path):
    with pytest.raises(BaseModelError, match=r"evaluate\.likeness_model: .* cannot be loaded"):
        FeatureModel("evaluate.likeness_model", str(tmp_path), None, CPU)
