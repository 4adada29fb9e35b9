"""The same prompts and seeds by the base and by an adapter: what every score of pictures starts from."""

from dataclasses import replace

import numpy as np

from gentra_lora.pictures.engine import NotFiniteError, most_at_once, to_uint8


class PairedPictures:
    """Draws with one engine; both strengths of a request start from the same noise.

    Args:
        engine: PictureEngine.
        factors: of the adapter, as its `adapter.fit` returns them.
        base_pictures: BasePictures.
        bar: has update(count), for a person who waits.
    """

    def __init__(self, engine, factors, base_pictures, bar):
        self.engine, self.factors, self.base_pictures, self.bar = engine, factors, base_pictures, bar

    def draw(self, requests):
        """Return {"adapter", "base"}: lists of pictures (H, W, 3), uint8, of requests of one `batch_key`."""
        return {"adapter": self.drawn(requests, 1.0), "base": self.drawn(requests, 0.0)}

    def drawn(self, requests, scale, factors=None):
        """Return the pictures at one strength of the adapter, or of another adapter's factors."""
        self.engine.adapter.use(self.factors if factors is None else factors)
        pictures, size = [], most_at_once(requests[0])
        for start in range(0, len(requests), size):
            chunk = [replace(request, lora_scale=scale) for request in requests[start : start + size]]
            pictures += self._batch(chunk) if scale else self._base_batch(chunk)
            self.bar.update(len(chunk))
        return pictures

    def sheet(self, request, scales, adapters):
        """Return [(label, a picture for each of `scales`)] of one request by several adapters.

        Args:
            adapters: [(label, factors)].
        """
        base = self.drawn([request], 0.0) if 0 in scales else []
        return [
            (label, [self.drawn([request], scale, factors)[0] if scale else base[0] for scale in scales])
            for label, factors in adapters
        ]

    def _base_batch(self, requests):
        pictures = self.base_pictures.read(requests)
        if pictures is None:
            pictures = self._batch(requests)
            self.base_pictures.write(requests, pictures)
        return pictures

    def _batch(self, requests):
        batch = self.engine.start(requests)
        while not batch.done:
            batch.step()
        return [self._pixels(latents, request) for latents, request in zip(batch.latents, requests, strict=True)]

    def _pixels(self, latents, request):
        """Return a picture; black where it is not finite, which `fault_of` then tells: one must not end them all."""
        try:
            return to_uint8(self.engine.pixels(latents))
        except NotFiniteError:
            return np.zeros((request.height, request.width, 3), np.uint8)
