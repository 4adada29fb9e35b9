import json

import pytest
from conftest import change

from gentra_lora.errors import InputError
from gentra_lora.manifest import read_manifest
from gentra_lora.photo import open_upright
from gentra_lora.stages import cache_latents, evaluate, prepare, train

METRICS = {
    "val_loss",
    "val_loss_base",
    "subject_similarity",
    "subject_similarity_base",
    "subject_similarity_real",
    "gap_closed",
    "prompt_match",
    "prompt_match_base",
    "prompt_match_real",
    "drift",
}


@pytest.fixture
def evaluated(workspace):
    for stage in (prepare, cache_latents, train, evaluate):
        stage.main()
    return workspace


def test_metrics_scores_and_pictures_are_written(capsys, evaluated):
    metrics = json.loads((evaluated / "reports/metrics.json").read_text())
    assert metrics.keys() == METRICS
    held_out = [row for row in read_manifest(evaluated / "data/processed/manifest.jsonl") if row.split == "held_out"]
    scores = [json.loads(line) for line in (evaluated / "reports/scores.jsonl").read_text().splitlines()]
    assert [row["photo"] for row in scores if "photo" in row] == [row.file_name for row in held_out]
    assert len(scores) == len(held_out) + 2
    assert metrics["drift"] == pytest.approx(scores[-1]["drift"], abs=1e-5)
    for name in ("grid", "img2img"):
        assert open_upright(evaluated / f"reports/images/{name}.png").width > 100
    assert "held-out loss" in capsys.readouterr().out


def test_final_file_gives_the_held_out_loss_that_training_saw(evaluated):
    metrics = json.loads((evaluated / "reports/metrics.json").read_text())
    seen = json.loads((evaluated / "reports/train/metrics.json").read_text())["train"]["held_out"]
    assert metrics["val_loss"] == pytest.approx(seen, rel=1e-3)
    assert metrics["val_loss"] != metrics["val_loss_base"]


def test_second_evaluation_gives_the_same_numbers(evaluated):
    first = (evaluated / "reports/scores.jsonl").read_bytes()
    evaluate.main()
    assert (evaluated / "reports/scores.jsonl").read_bytes() == first


def test_missing_adapter_is_an_error_with_the_way_out(workspace):
    prepare.main()
    with pytest.raises(InputError, match=r"sport_gentra_lora\.safetensors: no such file"):
        evaluate.main()


@pytest.mark.slow
def test_photos_of_several_shapes_with_mirrored_crops_go_through_all_stages(workspace):
    change(workspace, "prepare", aspect="buckets", resolution=128)
    change(workspace, "cache_latents", flip=True)
    for n, path in enumerate(sorted((workspace / "data/raw/images").iterdir())):
        open_upright(path).resize((700, 200) if n % 2 else (200, 200)).save(path)
    for stage in (prepare, cache_latents, train, evaluate):
        stage.main()
    assert json.loads((workspace / "reports/metrics.json").read_text())["val_loss"] > 0
