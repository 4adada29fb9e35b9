from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from gentra_lora.evaluation import plan as evaluation
from gentra_lora.evaluation.features import FeatureModel
from gentra_lora.evaluation.plan import held_out_rows, make_plan, score
from gentra_lora.evaluation.real_photos import measure_photos, open_processed
from gentra_lora.evaluation.scores import paired_similarity
from gentra_lora.pictures.sampling_pipeline import GenerationError
from gentra_lora.training.held_out import held_out_errors
from tests.conftest import cached_photos
from tests.scored import write_rows
from tests.tiny_engine import adapter_tensors, load_engine

CONFIG = SimpleNamespace(
    prompts=["a gentra in snow"],
    drift_prompts=["a van", "a cat"],
    seeds=[1, 2, 3],
    num_inference_steps=4,
    guidance_scale=2.0,
    img2img_strengths=[0.5, 1.0],
)


def plain(prompt):
    return prompt.replace("gentra", "sedan")


@pytest.fixture
def rows(tmp_path):
    return write_rows(tmp_path)


@pytest.fixture
def plan(rows, tmp_path):
    return make_plan(rows[:4], tmp_path, CONFIG, 64, plain)


def test_plan_has_every_prompt_with_every_seed(plan):
    assert {group: len(requests) for group, requests in plan.groups.items()} == {
        "likeness": 12,
        "class": 8,
        "prompt": 3,
        "drift": 6,
    }
    assert [request.seed for request in plan.groups["prompt"]] == [1, 2, 3]
    assert plan.photos["likeness"] == [f"{n}.png" for n in range(4) for _ in range(3)]


def test_class_pictures_are_of_two_seeds_a_caption(plan):
    assert [request.seed for request in plan.groups["class"]] == [1, 2] * 4
    assert plan.photos["class"] == [f"{n}.png" for n in range(4) for _ in range(2)]


def test_class_prompts_are_the_captions_without_the_trigger_word(plan):
    assert plan.groups["class"][2].prompt == "a sedan, view 1"
    assert plan.groups["likeness"][3].prompt == "a gentra, view 1"


def test_held_out_photos_are_redrawn_with_all_the_steps_at_each_strength(plan):
    assert [len(requests) for requests in plan.strips.values()] == [3, 3]
    assert all(request.steps_run == 4 for requests in plan.strips.values() for request in requests)
    assert len({request.photo_sha256 for request in plan.strips[0.5]}) == 3
    assert plan.count == 2 * (29 + 6)


def test_strength_that_needs_more_steps_than_there_are_is_refused(rows, tmp_path):
    config = SimpleNamespace(**CONFIG.__dict__ | {"img2img_strengths": [0.001]})
    with pytest.raises(GenerationError, match=r"strength 0\.001 with 4 steps needs a schedule of 4000 steps"):
        make_plan(rows[:4], tmp_path, config, 64, plain)


def test_losses_are_those_of_the_denoiser_with_and_without_the_adapter(tiny_base, monkeypatch):
    engine, photos = load_engine(tiny_base), cached_photos(2, crops=1)
    monkeypatch.setattr(evaluation, "load_split", lambda *_: photos)
    monkeypatch.setattr(evaluation, "read_index", lambda _: {"scaling_factor": 0.5})
    noise_scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    factors = engine.adapter.fit("a.safetensors", adapter_tensors())
    found = held_out_rows(engine, factors, noise_scheduler, None)
    engine.adapter.use({})
    base = held_out_errors(engine.unet, noise_scheduler, photos, 0.5)
    assert [row["loss"] for row in found if not row["adapter"]] == pytest.approx(base.flatten().tolist(), abs=1e-6)
    assert all(one["loss"] != other["loss"] for one, other in zip(found[:18], found[18:], strict=True))


@pytest.fixture
def scored(rows, plan, tmp_path, tiny_clip):
    model = FeatureModel("key", str(tiny_clip), None, torch.device("cpu"))
    photos = open_processed(tmp_path, rows, 64)
    rng = np.random.default_rng(9)
    drawn = {
        group: {n: list(rng.integers(0, 256, (len(of), 64, 64, 3), dtype=np.uint8)) for n in ("adapter", "base")}
        for group, of in plan.groups.items()
    }
    real = measure_photos(photos, rows, model, model, plain, None)
    return score(plan, drawn, real, model, model, plain, None), drawn, photos, real, model


def test_every_group_has_its_scores(scored, plan):
    rows = scored[0]
    fields = {
        group: set(next(row for row in rows if row["group"] == group and row["adapter"])) for group in plan.groups
    }
    common = {"group", "prompt", "seed", "adapter", "distance", "fault"}
    copying = {"nearest_train", "nearest_train_photo", "nn_gap", "copied"}
    assert fields == {
        "likeness": common | copying | {"photo", "subject_similarity", "diversity"},
        "class": common | {"photo", "subject_similarity"},
        "prompt": common | copying | {"prompt_match", "diversity"},
        "drift": common | {"drift"},
    }


def test_scores_are_those_of_the_picture_that_stands_in_the_same_place(scored):
    rows, drawn, photos, _, model = scored
    of_group = [row for row in rows if row["group"] == "likeness" and row["adapter"]]
    wanted = model.of_pictures([photos[row["photo"]] for row in of_group])
    found = paired_similarity(model.of_pictures(drawn["likeness"]["adapter"]), wanted)
    assert [row["subject_similarity"] for row in of_group] == pytest.approx(found.tolist(), abs=1e-5)
