import dataclasses

import torch
from diffusers import DDPMScheduler

from gentra_lora.training.held_out import BANDS, TIMESTEPS, banded, held_out_errors
from tests.conftest import cached_photos, make_unet


def errors(chosen):
    return held_out_errors(make_unet(), DDPMScheduler(beta_schedule="scaled_linear"), chosen, 0.5)


def subset(whole, indices):
    rows = {f.name: getattr(whole, f.name) for f in dataclasses.fields(whole)}
    return type(whole)(**{k: [v[n] for n in indices] if isinstance(v, list) else v for k, v in rows.items()})


def test_one_value_for_each_photo_and_timestep():
    assert errors(cached_photos(3)).shape == (3, TIMESTEPS)


def test_value_of_a_photo_does_not_depend_on_the_other_photos():
    whole = errors(cached_photos(5))
    torch.testing.assert_close(errors(subset(cached_photos(5), [3, 1])), whole[[3, 1]])


def test_global_seed_changes_nothing():
    torch.manual_seed(1)
    first = errors(cached_photos(2))
    torch.manual_seed(2)
    assert torch.equal(errors(cached_photos(2)), first)


def test_only_the_centre_crop_counts():
    changed = cached_photos(2, change=lambda n, tensors: tensors["mean"][1].fill_(99))
    assert torch.equal(errors(changed), errors(cached_photos(2)))


def test_photos_of_other_shapes_among_them_change_no_value():
    square = errors(cached_photos(4))
    wide = {"mean": torch.zeros(2, 4, 8, 24), "std": torch.zeros(2, 4, 8, 24)}
    mixed = cached_photos(4, change=lambda n, tensors: tensors.update(wide if n == 1 else {}))
    found = errors(mixed)
    torch.testing.assert_close(found[[0, 2, 3]], square[[0, 2, 3]])
    assert not torch.allclose(found[1], square[1])


def test_bands_are_thirds_of_the_timesteps_and_their_mean_is_the_whole():
    found = banded(torch.arange(TIMESTEPS * 2.0).reshape(2, TIMESTEPS))
    assert found == {"whole": 8.5, "low_noise": 5.5, "mid_noise": 8.5, "high_noise": 11.5}
    assert list(found)[1:] == list(BANDS)
