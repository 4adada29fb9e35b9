from types import SimpleNamespace

import pytest
import torch
from diffusers import DDPMScheduler

from gentra_lora.training.batches import DenoiserBatch
from gentra_lora.training.denoising import (
    Objective,
    area_weights,
    loss_weights,
    min_snr_weights,
    snr,
    squared_errors,
    target_of,
)


def test_snr_is_alpha_bar_over_one_minus_alpha_bar():
    assert snr(torch.tensor([0.9, 0.5, 0.2]), torch.tensor([0, 1, 2])).tolist() == pytest.approx([9, 1, 0.25])


@pytest.mark.parametrize(
    ("prediction_type", "wanted"),
    [("epsilon", [1, 1, 0.05]), ("v_prediction", [0.1 / 1.1, 5 / 6, 5 / 101])],
)
def test_min_snr_weights_follow_the_paper(prediction_type, wanted):
    weights = min_snr_weights(torch.tensor([0.1, 5.0, 100.0]), 5, prediction_type)
    assert weights.tolist() == pytest.approx(wanted)


def test_unknown_prediction_type_is_refused():
    scheduler = DDPMScheduler(prediction_type="sample")
    with pytest.raises(ValueError, match="'sample'"):
        target_of(scheduler, torch.ones(1), torch.ones(1), torch.zeros(1, dtype=torch.long))


def test_target_is_the_noise_for_epsilon_and_the_velocity_for_v_prediction():
    latents, noise, timesteps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    assert target_of(DDPMScheduler(), latents, noise, timesteps) is noise
    scheduler = DDPMScheduler(prediction_type="v_prediction")
    alpha_bar = scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * latents
    torch.testing.assert_close(target_of(scheduler, latents, noise, timesteps), velocity)


class Answering:
    """A denoiser whose answers are all 1 to the first sample and all 3 to the second."""

    dtype = torch.float32

    def __call__(self, noisy_latents, timesteps, prompt_embeds):
        return SimpleNamespace(sample=torch.tensor([1.0, 3.0])[:, None, None, None].expand_as(noisy_latents))


def test_loss_is_the_sum_of_the_samples_errors_each_by_its_weight_and_those_of_its_areas():
    nothing, areas = torch.zeros(2, 4, 2, 2), torch.ones(2, 1, 2, 2)
    areas[1, 0, 0] = 0  # the upper half of the second
    batch = DenoiserBatch(nothing, torch.tensor([1, 2]), torch.zeros(2, 3, 5), nothing, torch.tensor([1.0, 0.5]), areas)
    loss = Objective(Answering(), DDPMScheduler(), None).loss(batch)
    assert loss.item() == 1 * 1 + 0.5 * 9 / 2


def test_weighting_is_chosen_by_name():
    scheduler, timesteps = DDPMScheduler(), torch.tensor([0, 999])
    ratio = snr(scheduler.alphas_cumprod, timesteps)
    assert loss_weights(scheduler, timesteps, "none", 5).tolist() == [1, 1]
    assert torch.equal(loss_weights(scheduler, timesteps, "min_snr", 5), min_snr_weights(ratio, 5, "epsilon"))


def test_outside_of_the_subject_counts_as_much_less_as_asked_and_a_samples_mean_is_1():
    masks = torch.zeros(2, 1, 4, 4)
    masks[0, :, :2] = 1
    masks[1, :, :, 0] = 0.5
    areas = area_weights(masks, 0.1)
    assert areas.mean(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert (areas[0, 0, 0, 0] / areas[0, 0, 3, 0]).item() == pytest.approx(10)
    assert (areas[1, 0, 0, 0] / areas[1, 0, 0, 1]).item() == pytest.approx(5.5)


@pytest.mark.parametrize("masks", [torch.zeros(1, 1, 10, 10), torch.eye(100)[:1].reshape(1, 1, 10, 10)])
def test_crop_that_hardly_shows_the_subject_counts_less_and_never_as_a_whole_picture(masks):
    areas = area_weights(masks, 0.0)
    assert areas.isfinite().all() and areas.mean() <= 0.2


def test_error_outside_of_the_subject_is_not_seen_at_weight_0():
    target, masks = torch.zeros(1, 4, 4, 4), torch.zeros(1, 1, 4, 4)
    masks[..., :2] = 1
    noise_pred = torch.where(masks > 0, 2.0, 100.0).expand_as(target)
    assert squared_errors(noise_pred, target, area_weights(masks, 0.0)).tolist() == [4]
