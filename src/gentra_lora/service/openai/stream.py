"""An answer as OpenAI's server-sent events: partial images from the previews, then each picture."""

import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.jobs.watch import Watch
from gentra_lora.service.jobs.worker import expire
from gentra_lora.service.openai.files import encoded, kind_wished
from gentra_lora.service.openai.replies import described, encoded_picture
from gentra_lora.service.openai.wishes import OpenAIEdit, OpenAIImage

QUIET_SECONDS = 15  # after which a proxy may take a stream for dead
NO_TOKENS = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}  # pictures here are not counted in them, and clients in typed languages ask for the field


async def events_of(service: Service, job: Job, asked: OpenAIImage) -> AsyncIterator[str]:
    """Yield the events of a job until it has ended; a reader that goes away cancels it."""
    kind = "image_edit" if isinstance(asked, OpenAIEdit) else "image_generation"
    try:
        with Watch(job, previews=bool(asked.partial_images)) as watch:
            due = sent = 0
            while not job.ended:
                preview, due_before, due = job.preview, due, partials_due(job, asked.partial_images or 0)
                if due > due_before and preview is not None:  # a slow reader misses some
                    picture = _partial(preview, job, asked)
                    yield _event(f"{kind}.partial_image", job, asked, picture, partial_image_index=sent)
                    sent += 1
                left = job.deadline - time.monotonic()
                if left < 0:
                    expire(job)
                elif not await watch.changed(min(left + 0.01, QUIET_SECONDS)):
                    yield ": waiting\n\n"
        if job.error:
            yield f"event: error\ndata: {json.dumps({'type': 'error'} | job.error.body(job.request_id or ''))}\n\n"
            return
        for index in range(len(job.pngs)):
            picture = await encoded_picture(job, index, asked)
            yield _event(f"{kind}.completed", job, asked, picture, usage=NO_TOKENS)
    finally:
        service.cancel(job)  # where it has not ended


def partials_due(job: Job, wanted: int) -> int:
    """Return how many partial images should have been sent by now: they are spread evenly over the steps."""
    return min(wanted, job.step * (wanted + 1) // job.steps)


def _partial(preview: NDArray[np.uint8], job: Job, asked: OpenAIImage) -> str:
    size = job.requests[0].width, job.requests[0].height
    picture = Image.fromarray(preview).resize(size, Image.Resampling.BICUBIC)
    return base64.b64encode(encoded(picture, kind_wished(asked))).decode()


def _event(name: str, job: Job, asked: OpenAIImage, b64_json: str, **more: Any) -> str:
    values: Mapping[str, Any] = {
        "type": name,
        "created_at": int(time.time()),
        "b64_json": b64_json,
        **described(job, asked),
        **more,
    }
    return f"event: {name}\ndata: {json.dumps(values)}\n\n"
