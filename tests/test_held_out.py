import dataclasses

import torch
from conftest import make_unet
from diffusers import DDPMScheduler
from test_training import photos

from gentra_lora.held_out import TIMESTEPS, held_out_errors


def errors(chosen):
    return held_out_errors(make_unet(), DDPMScheduler(beta_schedule="scaled_linear"), chosen, 0.5)


def subset(whole, indices):
    rows = {f.name: getattr(whole, f.name) for f in dataclasses.fields(whole)}
    return type(whole)(**{k: [v[n] for n in indices] if isinstance(v, list) else v[indices] for k, v in rows.items()})


def test_one_value_for_each_photo_and_timestep():
    assert errors(photos(3)).shape == (3, TIMESTEPS)


def test_value_of_a_photo_does_not_depend_on_the_other_photos():
    whole = errors(photos(5))
    torch.testing.assert_close(errors(subset(photos(5), [3, 1])), whole[[3, 1]])


def test_global_seed_changes_nothing():
    torch.manual_seed(1)
    first = errors(photos(2))
    torch.manual_seed(2)
    assert torch.equal(errors(photos(2)), first)


def test_only_the_centre_crop_counts():
    changed = photos(2)
    for mean in changed.mean:
        mean[1] = 99
    assert torch.equal(errors(changed), errors(photos(2)))


def test_photos_of_other_shapes_among_them_change_no_value():
    mixed, square = photos(4), errors(photos(4))
    mixed.mean[1] = torch.zeros(2, 4, 8, 24)
    found = errors(mixed)
    torch.testing.assert_close(found[[0, 2, 3]], square[[0, 2, 3]])
    assert not torch.allclose(found[1], square[1])
