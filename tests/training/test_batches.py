from types import SimpleNamespace

import torch

from gentra_lora.training.batches import TrainingData, micro_batch
from tests.conftest import cached_photos

EMPTY = torch.full((40, 32), 7.0)


def draw(photos, crops, dropped):
    count = len(photos)
    generator = torch.Generator().manual_seed(1)
    return SimpleNamespace(
        photos=torch.tensor(photos),
        crops=torch.tensor(crops),
        eps=torch.randn(count, 4, 16, 16, generator=generator),
        noise=torch.randn(count, 4, 16, 16, generator=generator),
        timesteps=torch.arange(count) * 10,
        caption_dropped=torch.tensor(dropped),
    )


def test_sample_has_the_latents_caption_noise_and_timestep_of_its_own_photo_and_crop():
    photos, drawn = cached_photos(5), draw([3, 0, 4], [1, 0, 1], [False] * 3)
    batch = micro_batch(TrainingData(photos, EMPTY, 0.5), drawn, torch.tensor([2, 0]))
    for place, sample, photo, crop in ((0, 2, 4, 1), (1, 0, 3, 1)):
        mean, std, prompt_embeds = photos.read(photo, crop)
        torch.testing.assert_close(batch.latents[place], (mean + std * drawn.eps[sample]) * 0.5)
        assert torch.equal(batch.prompt_embeds[place], prompt_embeds)
        assert torch.equal(batch.noise[place], drawn.noise[sample])
        assert batch.timesteps[place] == 10 * sample


def test_dropped_caption_is_the_empty_prompt():
    batch = micro_batch(
        TrainingData(cached_photos(2), EMPTY, 0.5), draw([0, 1], [0, 0], [True, False]), torch.tensor([0, 1])
    )
    assert torch.equal(batch.prompt_embeds[0], EMPTY)
    assert not torch.equal(batch.prompt_embeds[1], EMPTY)


def test_batch_moves_as_a_whole():
    batch = micro_batch(TrainingData(cached_photos(2), EMPTY, 0.5), draw([0], [0], [False]), torch.tensor([0])).to(
        "meta"
    )
    assert {tensor.device.type for tensor in vars(batch).values()} == {"meta"}
