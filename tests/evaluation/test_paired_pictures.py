import numpy as np
import pytest
import torch

from gentra_lora.evaluation.base_pictures import BasePictures
from gentra_lora.evaluation.paired_pictures import PairedPictures
from gentra_lora.pictures.faults import fault_of
from tests.tiny_engine import adapter_tensors, load_engine, photo_request, put_on, request, write_tiny_adapter


class Bar:
    """Counts as tqdm does."""

    def __init__(self):
        self.count = 0

    def update(self, count):
        self.count += count


@pytest.fixture(scope="module")
def engine(tiny_base):
    return load_engine(tiny_base)


def drawing(engine, folder, factor=1.0):
    tensors = write_tiny_adapter(folder / "a.safetensors", factor)
    factors = engine.adapter.fit("a.safetensors", tensors)
    return PairedPictures(engine, factors, BasePictures(folder / "base", {}), Bar())


def test_both_are_the_pictures_that_the_engine_draws_alone(engine, tmp_path):
    requests = [request(), request(seed=2, prompt="a van")]
    found = drawing(engine, tmp_path).draw(requests)
    put_on(engine, adapter_tensors())
    for name, scale in (("adapter", 1.0), ("base", 0.0)):
        for of, picture in zip(requests, found[name], strict=True):
            (alone,) = engine.pictures([request(prompt=of.prompt, seed=of.seed, lora_scale=scale)])
            assert np.abs(alone.astype(int) - picture).max() <= 1
    assert not np.array_equal(found["adapter"][0], found["base"][0])


def test_base_is_drawn_once_and_comes_back_byte_by_byte(engine, tmp_path, monkeypatch):
    requests = [request(), photo_request()]
    first = [drawing(engine, tmp_path).draw([of]) for of in requests]
    started = []
    start = engine.start
    monkeypatch.setattr(engine, "start", lambda of: started.append(of[0].lora_scale) or start(of))
    again = drawing(engine, tmp_path)
    second = [again.draw([of]) for of in requests]
    assert started == [1.0, 1.0]
    assert again.bar.count == 4
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(one[name][0], other[name][0]) for name in ("adapter", "base"))


def test_adapter_of_zeros_draws_the_very_pictures_of_the_base(engine, tmp_path):
    found = drawing(engine, tmp_path, factor=0.0).draw([request(), request(seed=2)])
    assert all(np.array_equal(one, other) for one, other in zip(found["adapter"], found["base"], strict=True))


def test_picture_that_is_not_finite_is_a_blank_one_and_ends_nothing(engine, tmp_path, monkeypatch):
    paired = drawing(engine, tmp_path)
    factors = {name: type(of)(of.down, of.up * torch.inf, of.scale) for name, of in paired.factors.items()}
    paired.factors = factors
    found = paired.draw([request(), request(seed=2)])
    assert [fault_of(picture) for picture in found["adapter"]] == ["blank"] * 2
    assert [fault_of(picture) for picture in found["base"]] == [None] * 2


def test_sheet_has_a_picture_for_each_strength_of_each_adapter(engine, tmp_path):
    paired = drawing(engine, tmp_path)
    weak = engine.adapter.fit("a.safetensors", adapter_tensors(0.3))
    rows = paired.sheet(request(), [0.0, 0.5, 1.0], [("step 2", weak), ("step 4, kept", paired.factors)])
    assert [label for label, _ in rows] == ["step 2", "step 4, kept"]
    assert np.array_equal(rows[0][1][0], rows[1][1][0])
    assert np.array_equal(rows[1][1][2], paired.draw([request()])["adapter"][0])
    assert not np.array_equal(rows[0][1][2], rows[1][1][2])
