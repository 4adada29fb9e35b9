from collections import Counter

import torch

from gentra_lora.sampling import draw_step, generator_for, photos_of_step, stratified_timesteps


def draw(step, seed=1):
    return draw_step(seed, step, 4, 10, 3, (4, 8, 8), 0.5, 1000)


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
    shown = torch.cat([photos_of_step(1, step, 4, 10) for step in range(5)]).tolist()
    assert Counter(shown[:10]) == Counter(range(10)) == Counter(shown[10:])
    assert shown[:10] != shown[10:]


def test_batch_larger_than_the_set_takes_photos_again():
    assert Counter(photos_of_step(1, 0, 6, 3).tolist()) == {0: 2, 1: 2, 2: 2}


def test_timesteps_fall_one_into_each_band():
    bands = sorted((stratified_timesteps(1, 3, 5, 1000) // 200).tolist())
    assert bands == [0, 1, 2, 3, 4]


def test_every_timestep_can_be_drawn():
    drawn = torch.cat([stratified_timesteps(1, step, 4, 1000) for step in range(5000)])
    assert drawn.min() == 0
    assert drawn.max() == 999
    assert len(drawn.unique()) > 990


def test_generator_depends_on_every_part():
    values = {torch.randn(1, generator=generator_for(*parts)).item() for parts in [(1, "a"), (1, "b"), (2, "a")]}
    assert len(values) == 3
