import pytest

from gentra_lora.evaluation.measures import MEASURES, clustered, mean_of, metrics_of
from tests.scored import rows_of

OF = {measure.key: measure for measure in MEASURES}


def test_each_measure_finds_the_rows_of_its_group_alone():
    rows = rows_of(wobble=0)
    found = {key: mean_of(measure.values(rows)) for key, measure in OF.items() if not key.startswith("features")}
    assert found == pytest.approx(
        {
            "val_loss": 0.05,
            "val_loss_low_noise": 0.05,
            "val_loss_mid_noise": 0.05,
            "val_loss_high_noise": 0.05,
            "subject_similarity": 0.8,
            "prompt_match": 0.4,
            "drift": 0.2,
            "class_similarity": 0.5,
            "copied": 0.0,
            "diversity": 1.0,
        }
    )
    assert mean_of(OF["val_loss"].values(rows, adapter=False)) == pytest.approx(0.08)
    assert OF["drift"].values(rows, adapter=False) == {}


def test_seeds_of_a_prompt_and_timesteps_of_a_photo_are_one_cluster():
    rows = rows_of()
    assert len(clustered(OF["prompt_match"].values(rows))) == 2
    assert len(OF["prompt_match"].values(rows)) == 4
    assert len(clustered(OF["val_loss"].values(rows))) == 6
    assert len(OF["val_loss"].values(rows)) == 18


def test_metrics_are_the_means_relative_to_base_and_real_photos():
    metrics = metrics_of(rows_of(wobble=0))
    assert metrics["val_loss_relative"] == metrics["val_loss_relative_mid_noise"] == 0.625
    assert metrics["gap_closed"] == round((0.8 - 0.3) / (0.9 - 0.3), 4)
    assert metrics["class_leak"] == round((0.5 - 0.4) / (0.9 - 0.4), 4)
    assert (metrics["diversity"], metrics["diversity_base"]) == (1.0, 3.0)
    assert metrics["prompt_match_real"] == 0.45
    assert (metrics["copy_rate"], metrics["bad_images"], metrics["nn_gap"]) == (0, 0, 0.1)


def test_features_are_metrics_where_a_judge_counted_them():
    rows = rows_of()
    assert not any(key.startswith("features") for key in metrics_of(rows))
    for row in rows:
        if row.get("group") in ("likeness", "prompt", "drift", "real"):
            row["features_shown"] = {"drift": 2, "real": 6}.get(row["group"], 5) if row.get("adapter", True) else 1
    metrics = metrics_of(rows)
    assert {key: value for key, value in metrics.items() if key.startswith("features")} == {
        "features_shown": 5,
        "features_shown_base": 1,
        "features_shown_real": 6,
        "features_leaked": 2,
        "features_leaked_base": 1,
    }


def test_faults_and_copies_of_the_adapter_alone_are_counted():
    rows = rows_of(adapter={"copied": True}, wobble=0)
    for row in [row for row in rows if "fault" in row and not row["adapter"]]:
        row["fault"] = "blank"
    next(row for row in rows if "fault" in row and row["adapter"])["fault"] = "clipped"
    metrics = metrics_of(rows)
    assert (metrics["copy_rate"], metrics["bad_images"]) == (1.0, 1)


def test_metrics_are_rounded_to_what_is_more_than_noise():
    for value in metrics_of(rows_of()).values():
        assert value == round(value, 5)


def test_photos_that_are_all_alike_give_no_diversity():
    rows = rows_of()
    for row in rows:
        row |= {"diversity": None} if "diversity" in row else {}
    assert metrics_of(rows)["diversity"] is None
