import base64
import io

import numpy as np
import pytest
from PIL import Image

from gentra_lora.evaluation.measures import metrics_of
from gentra_lora.evaluation.noise_floor import NoiseFloor
from gentra_lora.evaluation.shown.report_page import (
    MOST_SHOWN,
    SIDE,
    data_uri,
    measured,
    most_copied,
    most_drifted,
    worst,
)
from tests.scored import rows_of


def found(noise=None, **adapter):
    rows = rows_of(adapter=adapter)
    return measured(rows, metrics_of(rows), noise)


def test_picture_is_inlined_at_a_sensible_size():
    uri = data_uri(np.random.default_rng(1).integers(0, 256, (768, 512, 3), dtype=np.uint8))
    kind, data = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (round(SIDE * 512 / 768), SIDE)
    assert len(data) < 60_000


def test_each_measure_is_shown_beside_the_base_and_real_photos():
    of = {entry["measure"].key: entry for entry in found()}
    assert of["subject_similarity"]["real"] == pytest.approx(0.9)
    assert of["subject_similarity"]["interval"].mean == pytest.approx(0.5, abs=0.02)
    assert of["drift"]["base"] is None and of["drift"]["interval"].mean == pytest.approx(0.2, abs=0.01)
    assert of["val_loss"]["rows"] == 18
    assert not of["val_loss"]["inside"]


def test_what_is_inside_its_interval_or_the_seeds_spread_is_grey():
    assert {e["measure"].key for e in found(likeness=0.3, prompt_match=0.5) if e["inside"]} == {
        *("subject_similarity", "prompt_match", "copied")
    }
    noise = NoiseFloor({}, [1, 2, 3], {"val_loss": 0.1}, {})
    assert next(entry for entry in found(noise) if entry["measure"].key == "val_loss")["inside"]


def shown():
    rows = [row for row in rows_of() if row.get("adapter") and "fault" in row]
    rows[5]["fault"] = "clipped"
    return [(row, n) for n, row in enumerate(rows)]


def test_most_copied_are_the_nearest_to_a_training_photo():
    found = most_copied(shown())
    assert len(found) == MOST_SHOWN
    nearest = [row["nearest_train"] for row, _ in found]
    assert nearest == sorted(nearest, reverse=True)
    assert nearest[0] == max(row["nearest_train"] for row, _ in shown() if "nearest_train" in row)


def test_most_drifted_come_first_each_beside_its_base():
    pairs = shown()
    numbers = [n for row, n in pairs if row["group"] == "drift"]
    found = most_drifted(pairs, [f"base of {n}" for n in numbers])
    drifts = [row["drift"] for row, _, _ in found]
    assert drifts == sorted(drifts, reverse=True) and len(drifts) == 6
    assert all(base == f"base of {n}" for _, n, base in found)


def test_worst_are_the_faulty_then_the_least_alike_and_the_least_obedient():
    found = [row for row, _ in worst(shown())]
    assert found[0]["fault"] == "clipped"
    assert [row["group"] for row in found[1:]] == ["likeness"] * 6 + ["prompt"] * 4
    alike = [row["subject_similarity"] for row in found[1:7]]
    assert alike == sorted(alike)
