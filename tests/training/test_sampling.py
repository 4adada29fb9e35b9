from collections import Counter
from dataclasses import dataclass

import pytest
import torch

from gentra_lora.training.sampling import draw_step, draw_timesteps, generator_for, photos_of_step, predictions_of_step

SQUARE, WIDE, TALL = [(4, 8, 8)], [(4, 6, 10)], [(4, 10, 6)]
MIXED = SQUARE * 5 + WIDE * 3 + TALL * 1 + SQUARE * 1  # photos 0-4 and 9 are square, 5-7 wide, 8 tall


@dataclass
class Photos:
    """What draw_step asks of CachedPhotos."""

    shapes: list
    crops: int = 3


@dataclass
class Prior:
    """What predictions_of_step asks of CachedPredictions."""

    shapes: list
    draws: int = 4


@dataclass
class Config:
    """What draw_step asks of params.yaml's train block."""

    timesteps: str = "stratified"
    noise_offset: float = 0.0
    caption_dropout: float = 0.5


def draw(step, seed=1, **config):
    return draw_step(seed, step, 4, Photos([(4, 8, 8)] * 10), Config(**config), 1000)


def test_step_is_a_pure_function_of_seed_and_step():
    torch.manual_seed(5)
    first = draw(7)
    torch.manual_seed(6)
    draw(3)
    second = draw(7)
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(second).values(), strict=True))


def test_other_step_or_seed_draws_other_noise():
    assert not torch.equal(draw(1).noise, draw(2).noise)
    assert not torch.equal(draw(1).noise, draw(1, seed=2).noise)


def test_noise_and_posterior_draw_are_not_the_same_numbers():
    assert not torch.equal(draw(1).noise, draw(1).eps)


def test_each_epoch_shows_every_photo_once_when_batches_run_across_epochs():
    shown = torch.cat([photos_of_step(1, step, 4, SQUARE * 10) for step in range(5)]).tolist()
    assert Counter(shown[:10]) == Counter(range(10)) == Counter(shown[10:])
    assert shown[:10] != shown[10:]


def test_batch_larger_than_the_set_takes_photos_again():
    assert Counter(photos_of_step(1, 0, 6, SQUARE * 3).tolist()) == {0: 2, 1: 2, 2: 2}


def test_no_batch_mixes_buckets_and_its_noise_has_the_buckets_shape():
    for step in range(40):
        drawn = draw_step(1, step, 4, Photos(MIXED), Config(), 1000)
        shapes = {MIXED[n] for n in drawn.photos.tolist()}
        assert len(shapes) == 1
        assert drawn.noise.shape == drawn.eps.shape == (4, *shapes.pop())


def test_buckets_come_up_as_often_as_they_have_photos_and_photos_as_often_as_each_other():
    shown = [photos_of_step(1, step, 4, MIXED).tolist() for step in range(10)]
    assert Counter(MIXED[photos[0]] for photos in shown) == {SQUARE[0]: 6, WIDE[0]: 3, TALL[0]: 1}
    assert Counter(n for photos in shown for n in photos) == dict.fromkeys(range(10), 4)


def test_order_of_buckets_differs_between_epochs():
    shapes = [MIXED[photos_of_step(1, step, 1, MIXED)[0]] for step in range(20)]
    assert shapes[:10] != shapes[10:]


def test_stratified_timesteps_fall_one_into_each_band():
    bands = sorted((draw_timesteps("stratified", 1, 3, 5, 1000) // 200).tolist())
    assert bands == [0, 1, 2, 3, 4]


def test_uniform_timesteps_of_a_batch_are_independent():
    bands = [len(set((draw_timesteps("uniform", 1, step, 4, 1000) // 250).tolist())) for step in range(200)]
    assert min(bands) < 3 <= max(bands)


@pytest.mark.parametrize("kind", ["uniform", "stratified"])
def test_every_timestep_is_drawn_as_often_as_any_other(kind):
    drawn = torch.cat([draw_timesteps(kind, 1, step, 4, 1000) for step in range(5000)])
    thirds = torch.bincount(drawn * 3 // 1000) / len(drawn)
    torch.testing.assert_close(thirds, torch.full((3,), 1 / 3), atol=0.02, rtol=0)
    assert drawn.min() == 0
    assert drawn.max() == 999
    assert len(drawn.unique()) > 990


def test_generator_depends_on_every_part():
    values = {torch.randn(1, generator=generator_for(*parts)).item() for parts in [(1, "a"), (1, "b"), (2, "a")]}
    assert len(values) == 3


def test_noise_offset_shifts_whole_channels_and_zero_changes_nothing():
    plain, shifted = draw(5).noise, draw(5, noise_offset=0.1).noise
    shift = shifted - plain
    assert shift.flatten(2).std(dim=2).max() < 1e-6
    assert 0.02 < shift[:, :, 0, 0].std() < 0.3
    assert torch.equal(draw(5, noise_offset=0.0).noise, plain)


def test_predictions_of_a_step_are_of_one_shape_and_come_all_in_turn():
    prior = Prior(MIXED)
    for step in range(20):
        chosen, draws = predictions_of_step(1, step, 2, prior)
        assert len({MIXED[n] for n in chosen.tolist()}) == 1
        assert draws.min() >= 0 and draws.max() < prior.draws
    shown = torch.cat([predictions_of_step(1, step, 2, Prior(SQUARE * 6))[0] for step in range(3)])
    assert sorted(shown.tolist()) == list(range(6))
