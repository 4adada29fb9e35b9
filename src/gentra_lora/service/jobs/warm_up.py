"""The last check before weights are served: a picture by them, beside the base's."""

import time

import numpy as np

from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.request import PictureRequest
from gentra_lora.service.jobs.pace import Pace
from gentra_lora.service.jobs.revision import Revision, RevisionError

STEPS, LEAST = 4, 2 / 255  # two levels of the most changed pixel


def warm_up(engine: PictureEngine, revision: Revision, pace: Pace) -> None:
    """Make a picture with and without the adapter that is on, at the size of its training, and measure the pace.

    Raises:
        RevisionError: the adapter changes nothing.
        NotFiniteError: a picture is not finite.
    """
    made = []
    for scale in (0.0, 1.0):
        prompt = f"a photo of a {revision.trigger_word}"
        size = revision.defaults["width"], revision.defaults["height"]
        request = PictureRequest(prompt, 0, STEPS, 1.0, *size, lora_scale=scale)
        batch, begun = engine.start([request]), time.monotonic()
        while not batch.done:
            batch.step()
        pace.measured(request, 1, time.monotonic() - begun)
        made.append(engine.pixels(batch.latents[0]))
    if np.abs(made[0] - made[1]).max() < LEAST:
        raise RevisionError(f"{revision.file['name']}: its picture is the base's; the adapter changes nothing")
    engine.fit_preview(batch.latents[0], made[1])
