from dataclasses import replace

import numpy as np
import pytest
import torch

from gentra_lora.base.samplers import SAMPLERS
from tests.tiny_engine import MIXED, adapter_tensors, load_engine, photo_request, put_on, request, run

ALL = pytest.mark.parametrize("sampler", SAMPLERS)
KINDS = pytest.mark.parametrize("kind", [request, photo_request], ids=["text", "photo"])


@pytest.fixture(scope="module")
def engine(tiny_base):
    found = load_engine(tiny_base)
    put_on(found, adapter_tensors())
    return found


def mixed(kind, sampler, **values):
    return [kind(sampler=sampler, **row | values) for row in MIXED]


def values(engine, latents):
    """Return the pictures (N, H, W, 3) of latents, in [0, 1]."""
    return np.stack([engine.pixels(row) for row in latents])


@ALL
@KINDS
def test_picture_of_a_mixed_batch_is_the_one_made_alone(engine, sampler, kind):
    requests = mixed(kind, sampler)
    together = values(engine, run(engine.start(requests)))
    alone = np.concatenate([values(engine, run(engine.start([one]))) for one in requests])
    assert np.abs(together - alone).max() < 1e-4
    assert np.abs(alone[0] - alone[1]).max() > 0.02
    assert np.abs(alone[0] - alone[2]).max() > 0.02


@pytest.mark.parametrize("guidance_scale", [0.0, 1.0])
def test_mixed_batch_without_guidance_holds_the_pictures_made_alone(engine, guidance_scale):
    requests = mixed(request, "dpmpp_2m", guidance_scale=guidance_scale)
    together = values(engine, run(engine.start(requests)))
    alone = np.concatenate([values(engine, run(engine.start([one]))) for one in requests])
    assert np.abs(together - alone).max() < 1e-4


@ALL
@KINDS
def test_kept_pictures_become_what_they_would_have(engine, sampler, kind):
    requests = mixed(kind, sampler)
    whole = values(engine, run(engine.start(requests)))
    batch = engine.start(requests)
    run(batch, steps=2)
    batch.keep([2, 0])
    assert batch.requests == [requests[2], requests[0]]
    assert len(batch.guess) == 2
    assert np.abs(values(engine, run(batch)) - whole[[2, 0]]).max() < 1e-4


@ALL
def test_pictures_can_be_left_out_before_the_first_step_and_again_later(engine, sampler):
    requests = mixed(request, sampler)
    batch = engine.start(requests)
    batch.keep([1, 2])
    run(batch, steps=3)
    batch.keep([1])
    alone = values(engine, run(engine.start([requests[2]])))
    assert np.abs(values(engine, run(batch)) - alone).max() < 1e-4


@ALL
@KINDS
def test_as_many_steps_are_taken_as_were_asked_for(engine, sampler, kind):
    for steps, strength in ((1, 1.0), (2, 0.5), (5, 0.5)):
        given = {} if kind is request else {"strength": strength}
        batch, taken = engine.start([kind(num_inference_steps=steps, sampler=sampler, **given)]), 0
        while not batch.done:
            batch.step()
            taken += 1
        assert taken == batch.requests[0].steps_run
        assert batch.latents.isfinite().all()


def test_29_of_100_steps_are_run(engine):
    batch = engine.start([photo_request(num_inference_steps=100, strength=0.29)])
    assert len(batch.timesteps) == 29
    assert batch.timesteps[0] == 289


def test_61_steps_end_in_a_picture_of_the_cleanest_timestep(engine):
    batch = engine.start([request(num_inference_steps=61)])
    assert (len(batch.timesteps), batch.timesteps[0], batch.timesteps[-1]) == (61, 999, 15)


@ALL
def test_photo_at_full_strength_starts_at_its_noisiest(engine, sampler):
    batch = engine.start([photo_request(sampler=sampler, strength=1.0)])
    assert batch.timesteps[0] == 999
    photo = engine.encode(batch.requests[0])
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    start = batch.scheduler.scale_model_input(batch.latents, batch.timesteps[0])
    alpha_bar = batch.scheduler.alphas_cumprod[999]
    wanted = alpha_bar.sqrt() * photo + (1 - alpha_bar).sqrt() * noise
    torch.testing.assert_close(start, wanted, rtol=0, atol=1e-3)


@ALL
def test_low_strength_keeps_more_of_the_photo(engine, sampler):
    kept = engine.pixels(engine.encode(photo_request())[0])
    requests = [photo_request(sampler=sampler, num_inference_steps=20, strength=s) for s in (0.05, 0.4, 1.0)]
    changes = [np.abs(values(engine, run(engine.start([one])))[0] - kept).mean() for one in requests]
    assert changes == sorted(changes)


@ALL
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_guess_of_the_last_step_is_the_picture(engine, sampler, prediction_type, monkeypatch):
    schedule = {**engine.schedule, "prediction_type": prediction_type}
    monkeypatch.setattr(engine, "schedule", schedule)
    batch = engine.start(mixed(request, sampler))
    latents = run(batch)
    assert batch.guess.shape == latents.shape
    # DDIM leaves the noise of the last timestep; a Karras sigma is a little beside its timestep.
    assert (batch.guess - latents).norm() < 0.05 * latents.norm()


def test_negative_prompt_counts_with_guidance_only(engine):
    plain = request(guidance_scale=3.0)
    other = replace(plain, negative_prompt="rain")
    first, second = (run(engine.start([one])) for one in (plain, other))
    assert not torch.equal(first, second)
    first, second = (run(engine.start([replace(one, guidance_scale=1.0)])) for one in (plain, other))
    assert torch.equal(first, second)


def test_global_random_state_is_neither_read_nor_changed(engine):
    torch.manual_seed(1)
    first, state = run(engine.start([request(sampler="euler_a")])), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(run(engine.start([request(sampler="euler_a")])), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
