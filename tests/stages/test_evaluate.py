import html
import json
import re
import shutil

import pytest

from gentra_lora.adapter.file import read_adapter, write_adapter
from gentra_lora.errors import InputError
from gentra_lora.evaluation.paired_pictures import PairedPictures
from gentra_lora.photos.manifest import read_manifest
from gentra_lora.photos.photo import open_upright
from gentra_lora.stages import cache_latents, evaluate, prepare, train
from gentra_lora.training.held_out import BANDS
from tests.conftest import ROOT, change, link_to_cache, still_in_cache

METRICS = {
    *("val_loss", "val_loss_base", "val_loss_relative"),
    *(f"val_loss_relative_{band}" for band in BANDS),
    *("subject_similarity", "subject_similarity_base", "subject_similarity_real", "gap_closed"),
    *("prompt_match", "prompt_match_base", "prompt_match_real"),
    *("drift_in_seeds", "class_leak", "copy_rate", "nn_gap", "diversity", "diversity_base", "bad_images"),
}
OUTPUTS = ("metrics.json", "scores.jsonl", "evaluation.json", "report.html")


def test_metrics_scores_and_pictures_are_written(evaluated):
    metrics = json.loads((evaluated / "reports/metrics.json").read_text())
    assert metrics.keys() == METRICS
    held_out = [row for row in read_manifest(evaluated / "data/processed/manifest.jsonl") if row.split == "held_out"]
    scores = [json.loads(line) for line in (evaluated / "reports/scores.jsonl").read_text().splitlines()]
    drawn = [row for row in scores if "seed" in row]
    assert len(drawn) == 2 * 2 * (2 * len(held_out) + 1 + 1)
    assert len({(row["group"], row.get("photo"), row["prompt"], row["seed"], row["adapter"]) for row in drawn}) == len(
        drawn
    )
    losses = [row for row in scores if "loss" in row]
    assert len(losses) == len({(r["photo"], r["timestep"], r["adapter"]) for r in losses}) == 2 * 9 * len(held_out)
    drifts = [row["drift"] for row in scores if "drift" in row]
    assert metrics["drift_in_seeds"] == pytest.approx(sum(drifts) / 2, abs=1e-4)
    for name in ("grid", "img2img", "drift", "scales"):
        assert open_upright(evaluated / f"reports/images/{name}.png").width > 100
    shown = (evaluated / "shown.txt").read_text()
    assert "held-out loss" in shown and "report: reports/report.html" in shown


def test_judge_counts_the_features_of_the_subject_and_of_other_things(evaluated):
    change(evaluated, "evaluate", judge=str(ROOT / "demo/judge.safetensors"))
    evaluate.main()
    metrics = json.loads((evaluated / "reports/metrics.json").read_text())
    ends = {"features_shown": ("_base", "", "_real"), "features_leaked": ("_base", "")}
    assert metrics.keys() - METRICS == {f"{key}{end}" for key, of in ends.items() for end in of}
    assert all(0 <= metrics[key] <= 6 for key in metrics.keys() - METRICS)
    assert len(json.loads((evaluated / "reports/evaluation.json").read_text())["judge"]) == 64
    assert "of the subject's features" in html.unescape((evaluated / "reports/report.html").read_text())


def test_card_and_preview_lie_beside_the_file(evaluated):
    card = json.loads((evaluated / "models/sport_gentra_lora.json").read_text())
    assert (card["activation text"], card["sd version"]) == ("gentra", "SD1")
    assert open_upright(evaluated / "models/sport_gentra_lora.png").size == (64, 64)


def test_report_is_one_file_that_fetches_nothing(evaluated):
    page = (evaluated / "reports/report.html").read_text()
    assert set(re.findall(r'(?:src|href)="(.{5})', page)) == {"data:"}
    assert "url(" not in page and "@import" not in page and "<script" not in page
    header = read_adapter(evaluated / "models/sport_gentra_lora.safetensors")[1]
    setup = json.loads((evaluated / "reports/evaluation.json").read_text())
    for text in (header["gentra.git_revision"], setup["weights_sha256"], setup["base"], setup["device"]):
        assert text in page
    assert "kept: step 6" in page


def test_second_evaluation_gives_the_same_bytes(evaluated):
    first = {name: (evaluated / "reports" / name).read_bytes() for name in OUTPUTS}
    first |= {path.name: path.read_bytes() for path in (evaluated / "reports/images").iterdir()}
    shutil.rmtree(evaluated / "reports/images")
    evaluate.main()
    assert first == {name: (evaluated / "reports" / name).read_bytes() for name in OUTPUTS} | {
        path.name: path.read_bytes() for path in (evaluated / "reports/images").iterdir()
    }
    # Nor does it matter whether the base's pictures come from the folder where they are kept.
    shutil.rmtree(evaluated / "checkpoints/base_pictures")
    evaluate.main()
    assert first["scores.jsonl"] == (evaluated / "reports/scores.jsonl").read_bytes()


def test_adapter_of_zeros_has_closed_no_gap_and_moved_nothing_exactly(evaluated):
    path = evaluated / "models/sport_gentra_lora.safetensors"
    tensors, metadata = read_adapter(path)
    zeros = {key: tensor * (not key.endswith("lora_up.weight")) for key, tensor in tensors.items()}
    write_adapter(path, zeros, metadata)
    evaluate.main()
    metrics = json.loads((evaluated / "reports/metrics.json").read_text())
    assert metrics["gap_closed"] in (0, None) and metrics["drift_in_seeds"] == 0
    assert metrics["subject_similarity"] == metrics["subject_similarity_base"]
    assert metrics["val_loss_relative"] == 1
    assert metrics["diversity"] == metrics["diversity_base"]


def test_prompt_that_is_too_long_is_refused_before_anything_is_drawn(evaluated, monkeypatch):
    change(evaluated, "evaluate", drift_prompts=["a " * 60])
    monkeypatch.setattr(PairedPictures, "drawn", lambda *_: pytest.fail("drew a picture"))
    with pytest.raises(InputError, match="the text encoder would not see"):
        evaluate.main()


def test_final_file_gives_the_held_out_loss_that_training_saw(evaluated):
    metrics = json.loads((evaluated / "reports/metrics.json").read_text())
    seen = json.loads((evaluated / "reports/train/metrics.json").read_text())["train"]["held_out"]
    assert metrics["val_loss"] == pytest.approx(seen, rel=1e-3)
    assert metrics["val_loss"] != metrics["val_loss_base"]


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


def test_evaluation_writes_nothing_through_links_into_dvcs_cache(evaluated):
    kept = link_to_cache(*(f"reports/{name}" for name in OUTPUTS), "reports/images")
    change(evaluated, "evaluate", seeds=[2, 3])
    evaluate.main()
    assert still_in_cache(kept)
    assert json.loads((evaluated / "reports/evaluation.json").read_text())["seeds"] == [2, 3]


def test_training_that_was_stopped_on_its_way_is_never_shown_beside_the_model_of_before(evaluated):
    before = {name: (evaluated / "reports" / name).read_bytes() for name in OUTPUTS}
    change(evaluated, "train", learning_rate=0.001)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train.Training, "run_step", raise_interrupt)
        train.main()
    with pytest.raises(InputError, match=r"reports/train: is of the training \w+, .* would mix the two"):
        evaluate.main()
    assert before == {name: (evaluated / "reports" / name).read_bytes() for name in OUTPUTS}


def raise_interrupt(_):
    raise KeyboardInterrupt


def test_number_that_is_not_finite_leaves_the_evaluation_of_before(evaluated, monkeypatch):
    before = {name: (evaluated / "reports" / name).read_bytes() for name in OUTPUTS}
    metrics = json.loads((evaluated / "reports/metrics.json").read_text()) | {"drift": float("nan")}
    monkeypatch.setattr(evaluate, "metrics_of", lambda _: metrics)
    with pytest.raises(InputError, match=r"reports/metrics\.json: drift is nan, which JSON cannot hold"):
        evaluate.main()
    assert before == {name: (evaluated / "reports" / name).read_bytes() for name in OUTPUTS}
