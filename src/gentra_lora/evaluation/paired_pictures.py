"""The same prompts and seeds by the base and by an adapter: what every score of pictures starts from."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from gentra_lora.adapter.rows import Factors
from gentra_lora.evaluation.base_pictures import BasePictures
from gentra_lora.pictures.engine import NotFiniteError, PictureEngine, most_at_once, to_uint8
from gentra_lora.pictures.request import PictureRequest

Paired = dict[str, list[NDArray[np.uint8]]]  # {"adapter", "base"}: pictures (H, W, 3)


class Bar(Protocol):
    """Shows a person who waits how many pictures are drawn."""

    def update(self, n: int) -> object: ...


class PairedPictures:
    """Draws with one engine; both strengths of a request start from the same noise.

    Args:
        factors: of the adapter, as the engine's `adapter.fit` returns them.
    """

    def __init__(
        self, engine: PictureEngine, factors: dict[str, Factors], base_pictures: BasePictures, bar: Bar
    ) -> None:
        self.engine, self.factors, self.base_pictures, self.bar = engine, factors, base_pictures, bar

    def draw(self, requests: Sequence[PictureRequest]) -> Paired:
        """Return the pictures of requests of one `batch_key`, by the adapter and by the base."""
        return {"adapter": self.drawn(requests, 1.0), "base": self.drawn(requests, 0.0)}

    def drawn(
        self, requests: Sequence[PictureRequest], scale: float, factors: dict[str, Factors] | None = None
    ) -> list[NDArray[np.uint8]]:
        """Return the pictures at one strength of the adapter, or of another adapter's factors."""
        self.engine.adapter.use(self.factors if factors is None else factors)
        pictures: list[NDArray[np.uint8]] = []
        size = most_at_once(requests[0])
        for start in range(0, len(requests), size):
            chunk = [replace(request, lora_scale=scale) for request in requests[start : start + size]]
            pictures += self._batch(chunk) if scale else self._base_batch(chunk)
            self.bar.update(len(chunk))
        return pictures

    def sheet(
        self, request: PictureRequest, scales: Sequence[float], adapters: Iterable[tuple[str, dict[str, Factors]]]
    ) -> list[tuple[str, list[NDArray[np.uint8]]]]:
        """Return for each labelled adapter its label and one request's picture at each of `scales`."""
        base = self.drawn([request], 0.0) if 0 in scales else []
        return [
            (label, [self.drawn([request], scale, factors)[0] if scale else base[0] for scale in scales])
            for label, factors in adapters
        ]

    def _base_batch(self, requests: Sequence[PictureRequest]) -> list[NDArray[np.uint8]]:
        pictures = self.base_pictures.read(requests)
        if pictures is None:
            pictures = self._batch(requests)
            self.base_pictures.write(requests, pictures)
        return pictures

    def _batch(self, requests: Sequence[PictureRequest]) -> list[NDArray[np.uint8]]:
        batch = self.engine.start(requests)
        while not batch.done:
            batch.step()
        return [self._pixels(latents, request) for latents, request in zip(batch.latents, requests, strict=True)]

    def _pixels(self, latents: torch.Tensor, request: PictureRequest) -> NDArray[np.uint8]:
        """Return a picture; black where it is not finite, which `fault_of` then tells: one must not end them all."""
        try:
            return to_uint8(self.engine.pixels(latents))
        except NotFiniteError:
            return np.zeros((request.height, request.width, 3), np.uint8)
