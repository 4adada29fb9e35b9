"""What training step n sees: pure functions of (seed, step), so that a resumed run continues exactly."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from gentra_lora.latents.cached_photos import CachedPhotos


def seed_of(*parts: object) -> int:
    """Return a seed made of all `parts`, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator_for(*parts: object) -> torch.Generator:
    """Return a CPU generator seeded by all `parts`."""
    return torch.Generator().manual_seed(seed_of(*parts))


def photos_of_step(seed: int | str, step: int, batch_size: int, shapes: Sequence[tuple[int, int, int]]) -> torch.Tensor:
    """Return the photo numbers of a step, int64 (batch_size,): photos of one shape, a bucket, never mixed.

    In every len(shapes) steps a bucket comes up once for each of its photos, in random order. Within a bucket each
    epoch is a permutation, and batches run across epochs.

    Args:
        shapes: of each photo's latents; those of one shape are a bucket.
    """
    shape, earlier = shapes[0], step  # the bucket, and how many batches of it came before
    members = [n for n, other in enumerate(shapes) if other == shape]
    if len(members) < len(shapes):
        epoch, place = divmod(step, len(shapes))
        order = torch.randperm(len(shapes), generator=generator_for(seed, "bucket", epoch)).tolist()
        shape = shapes[order[place]]
        members = [n for n, other in enumerate(shapes) if other == shape]
        earlier = epoch * len(members) + sum(shapes[n] == shape for n in order[:place])
    places = range(earlier * batch_size, (earlier + 1) * batch_size)
    epochs = {place // len(members) for place in places}
    orders = {
        epoch: torch.randperm(len(members), generator=generator_for(seed, "order", *shape, epoch)) for epoch in epochs
    }
    return torch.tensor([members[orders[place // len(members)][place % len(members)]] for place in places])


def draw_timesteps(kind: str, seed: int | str, step: int, batch_size: int, num_train_timesteps: int) -> torch.Tensor:
    """Return int64 (batch_size,) timesteps, each as likely as any other.

    Args:
        kind: "uniform" draws them independently; "stratified" takes one from each of batch_size equal bands, in random
            order, so that the loss of a batch varies less.
    """
    generator = generator_for(seed, "timesteps", step)
    if kind == "uniform":
        return torch.randint(num_train_timesteps, (batch_size,), generator=generator)
    band = torch.randperm(batch_size, generator=generator)
    within = torch.rand(batch_size, generator=generator)
    return ((band + within) / batch_size * num_train_timesteps).long().clamp(max=num_train_timesteps - 1)


@dataclass(frozen=True)
class Draw:
    """The random choices of one step."""

    photos: torch.Tensor  # int64 (B,)
    crops: torch.Tensor  # int64 (B,)
    eps: torch.Tensor  # (B, 4, h, w), for the posterior
    noise: torch.Tensor  # (B, 4, h, w)
    timesteps: torch.Tensor  # int64 (B,)
    caption_dropped: torch.Tensor  # bool (B,)


class DrawConfig(Protocol):
    """What shapes the random choices, as in params.yaml's train block.

    The noise offset shifts each channel of the noise as a whole, so that pictures may be darker or brighter than the
    mean.
    """

    noise_offset: float
    caption_dropout: float

    @property
    def timesteps(self) -> str: ...


def draw_step(
    seed: int | str, step: int, batch_size: int, photos: CachedPhotos, config: DrawConfig, num_train_timesteps: int
) -> Draw:
    """Return the Draw of a step over cached photos."""
    chosen = photos_of_step(seed, step, batch_size, photos.shapes)
    shape = (batch_size, *photos.shapes[chosen[0]])
    noise = torch.randn(shape, generator=generator_for(seed, "noise", step))
    if config.noise_offset:
        offset = torch.randn(*shape[:2], 1, 1, generator=generator_for(seed, "noise offset", step))
        noise = noise + config.noise_offset * offset
    dropped = torch.rand(batch_size, generator=generator_for(seed, "dropout", step)) < config.caption_dropout
    return Draw(
        photos=chosen,
        crops=torch.randint(photos.crops, (batch_size,), generator=generator_for(seed, "crop", step)),
        eps=torch.randn(shape, generator=generator_for(seed, "posterior", step)),
        noise=noise,
        timesteps=draw_timesteps(config.timesteps, seed, step, batch_size, num_train_timesteps),
        caption_dropped=dropped,
    )


class Predictions(Protocol):
    """Base predictions of a folder, of which a step takes some."""

    @property
    def shapes(self) -> Sequence[tuple[int, int, int]]: ...

    @property
    def draws(self) -> int: ...


def predictions_of_step(
    seed: int | str, step: int, batch_size: int, prior: Predictions
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which base predictions a step sees: the files, all of one shape, and the draw of each; int64 (B,) both."""
    chosen = photos_of_step(f"prior {seed}", step, batch_size, prior.shapes)
    return chosen, torch.randint(prior.draws, (batch_size,), generator=generator_for(seed, "prior draw", step))
