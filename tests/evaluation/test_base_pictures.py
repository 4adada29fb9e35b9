import os

import numpy as np
import pytest

from gentra_lora.evaluation import base_pictures
from gentra_lora.evaluation.base_pictures import BasePictures
from tests.tiny_engine import photo_request, request

PICTURES = list(np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))
IDENTITY = {"base": "nano@1", "device": "cpu"}


@pytest.fixture
def kept(tmp_path):
    found = BasePictures(tmp_path / "base", IDENTITY)
    found.write([request(), request(seed=2)], PICTURES)
    return found


def test_pictures_come_back_as_they_were_whatever_the_adapters_strength(kept):
    found = kept.read([request(lora_scale=0.0), request(seed=2, lora_scale=0.0)])
    assert all(np.array_equal(one, other) for one, other in zip(found, PICTURES, strict=True))


@pytest.mark.parametrize(
    "requests",
    [
        [request()],
        [request(seed=2), request()],
        [request(), request(seed=3)],
        [request(prompt="a van"), request(seed=2)],
        [request(num_inference_steps=5), request(seed=2)],
        [photo_request(), photo_request(seed=2)],
    ],
)
def test_any_other_batch_is_drawn_anew(kept, requests):
    assert kept.read(requests) is None


def test_photos_of_other_bytes_are_other_pictures(kept):
    kept.write([photo_request()], PICTURES[:1])
    assert kept.read([photo_request()]) is not None
    assert kept.read([photo_request(photo_sha256="1" * 64)]) is None


@pytest.mark.parametrize("identity", [{"base": "nano@2", "device": "cpu"}, {"base": "nano@1", "device": "gpu"}])
def test_another_base_or_machine_draws_anew(kept, identity):
    assert BasePictures(kept.folder, identity).read([request(), request(seed=2)]) is None


def test_damaged_sheet_is_drawn_anew(kept):
    (path,) = kept.folder.glob("*.png")
    path.write_bytes(path.read_bytes()[:200])
    assert kept.read([request(), request(seed=2)]) is None


def test_least_lately_used_go_when_there_are_too_many(kept, monkeypatch):
    monkeypatch.setattr(base_pictures, "MOST_KEPT", 2)
    for path in kept.folder.glob("*.png"):
        os.utime(path, (1, 1))
    kept.write([request(seed=5)], PICTURES[:1])
    kept.write([request(seed=6)], PICTURES[:1])
    assert kept.read([request(), request(seed=2)]) is None
    assert kept.read([request(seed=5)]) is not None
