import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler

from gentra_lora.base.samplers import SAMPLERS, keep_rows, make_sampler

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
CONFIG = DDPMScheduler(**BETAS, prediction_type="v_prediction").config
ALL = pytest.mark.parametrize("name", SAMPLERS)


def timed(name, config, num_inference_steps):
    """Return a scheduler with its timesteps set."""
    scheduler = make_sampler(name, config)
    scheduler.set_timesteps(num_inference_steps)
    return scheduler


def walked(scheduler, rows, keep=None, keep_after=2):
    """Return the latents after steps with model outputs of each row's own, some left out on the way."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(len(scheduler.timesteps), 3, 4, 2, 2, generator=generator)[:, rows]
    latents, own = torch.ones(len(rows), 4, 2, 2), [torch.Generator().manual_seed(row) for row in rows]
    for number, timestep in enumerate(scheduler.timesteps):
        if keep and number == keep_after:
            keep_rows(scheduler, keep)
            latents, own, outputs = latents[keep], [own[row] for row in keep], outputs[:, keep]
        takes_noise = {} if scheduler.__class__.__name__.startswith("UniPC") else {"generator": own}
        latents = scheduler.step(outputs[number], timestep, latents, return_dict=False, **takes_noise)[0]
    return latents


@ALL
def test_every_number_of_steps_gives_that_many_from_the_noisiest_down(name):
    for steps in (1, 2, 20, 61, 100, 122, 1000):  # for 61 and 122 diffusers counts one more
        scheduler = timed(name, CONFIG, steps)
        timesteps = scheduler.timesteps.tolist()
        assert len(timesteps) == steps
        assert timesteps[0] == 999
        assert timesteps[-1] >= 0
        assert timesteps == sorted(timesteps, reverse=True)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "ddim"])
def test_last_step_ends_without_noise(name):
    for steps in (4, 61):
        sigmas = timed(name, CONFIG, steps).sigmas
        assert len(sigmas) == steps + 1
        assert sigmas[-1] == 0
        assert sigmas[-2] > 0.029  # the least of the base's own


@ALL
def test_base_gives_betas_and_prediction_type(name):
    scheduler = timed(name, CONFIG, 2)
    assert torch.equal(scheduler.alphas_cumprod, DDPMScheduler(**BETAS).alphas_cumprod)
    assert scheduler.config.prediction_type == "v_prediction"


@ALL
def test_sampler_that_a_base_was_saved_with_changes_none_of_ours(name, tmp_path):
    habits = {"use_karras_sigmas": True, "algorithm_type": "sde-dpmsolver++", "final_sigmas_type": "sigma_min"}
    DPMSolverMultistepScheduler(**BETAS, **habits, prediction_type="v_prediction").save_pretrained(tmp_path)
    there = timed(name, DDPMScheduler.from_pretrained(tmp_path).config, 5)
    here = timed(name, CONFIG, 5)
    assert torch.equal(there.timesteps, here.timesteps)
    assert torch.equal(walked(there, [0, 1]), walked(here, [0, 1]))


def test_ddim_leaves_latents_above_one_where_the_base_does_not_say_so():
    scheduler = timed("ddim", DDPMScheduler(**BETAS).config, 2)
    clean, noise = torch.full((1, 4, 2, 2), 3.0), torch.ones(1, 4, 2, 2)
    noisy = scheduler.add_noise(clean, noise, scheduler.timesteps[-1:])
    found = scheduler.step(noise, scheduler.timesteps[-1], noisy, return_dict=True)
    torch.testing.assert_close(found.pred_original_sample, clean)


@ALL
def test_kept_rows_go_on_as_if_they_were_alone(name):
    for keep_after in (1, 2, 4):
        kept = walked(timed(name, CONFIG, 6), [0, 1, 2], keep=[2, 0], keep_after=keep_after)
        alone = walked(timed(name, CONFIG, 6), [2, 0])
        torch.testing.assert_close(kept, alone)


def test_samplers_differ_in_what_other_programs_call_them():
    assert len({(sampler.title, sampler.schedule) for sampler in SAMPLERS.values()}) == len(SAMPLERS)
