"""POST a prompt or a photo, get the picture."""

import base64
import time

from fastapi import APIRouter, Request, Response

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.answers import JSON, accepted_type, picture_answer
from gentra_lora.service.http.bodies import read_img2img, read_json
from gentra_lora.service.http.decoders import Decoders
from gentra_lora.service.http.openapi import Responses, documented, refusals
from gentra_lora.service.http.reply_schemas import OpenAIPictures, Pictures
from gentra_lora.service.http.uploads import Upload
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import ImageToImage, ImageToImageJson, OpenAIImage, TextToImage
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.jobs.watch import ended
from gentra_lora.service.settings import ServiceSettings

router = APIRouter(prefix="/v1", tags=["pictures"])
ANSWER: Responses = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}
REFUSALS = refusals(400, 401, 403, 406, 408, 413, 415, 422, 429, 500, 503, 504)


@router.post("/txt2img", response_model=Pictures, responses=ANSWER | REFUSALS, openapi_extra=documented(TextToImage))
async def txt2img(request: Request) -> Response | dict[str, object]:
    """Draw a prompt."""
    service: Service = request.app.state.service
    service.check_open()
    body = await read_json(request, TextToImage, request.app.state.settings)
    media_type = accepted_type(request, body.num_images)
    return picture_answer(await made(request, await submitted(request, body)), media_type)


@router.post(
    "/img2img",
    response_model=Pictures,
    responses=ANSWER | REFUSALS,
    openapi_extra=documented(ImageToImage, ImageToImageJson),
)
async def img2img(request: Request) -> Response | dict[str, object]:
    """Redraw a photo as the prompt says: any that a phone or a forum gives, upright and in its own shape."""
    service: Service = request.app.state.service
    decoders: Decoders = request.app.state.decoders
    service.check_open()
    with decoders.upload(request.state.holder):
        body, photo = await read_img2img(request, request.app.state.settings, decoders)
        media_type = accepted_type(request, body.num_images)
        job = await submitted(request, body, photo)
        del photo  # the whole of it; what is drawn is scaled
    return picture_answer(await made(request, job), media_type)


@router.post(
    "/images/generations",
    response_model=OpenAIPictures,
    response_model_exclude_none=True,
    responses=REFUSALS,
    openapi_extra=documented(OpenAIImage),
)
async def openai_images(request: Request) -> dict[str, object]:
    """Draw a prompt for clients of OpenAI's API; at `url` the picture lies for some minutes."""
    service: Service = request.app.state.service
    settings: ServiceSettings = request.app.state.settings
    service.check_open()
    asked = await read_json(request, OpenAIImage, settings)
    accepted_json(request)
    if asked.response_format == "url" and not request.app.state.has_jobs:
        raise refusal("response_format", "is url, and this replica keeps no pictures; take b64_json")
    body = _translated(asked)
    try:
        job = await submitted(request, body)
    except ServiceError as error:
        raise _in_openais_words(error) from error
    job = await made(request, job)
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    found = [{"url": f"{base}/v1/jobs/{job.id}/images/{index}"} for index in range(len(job.pngs))]
    if not request.app.state.has_jobs:
        found = [{} for _ in found]
    for picture, png in zip(found, job.pngs, strict=True):
        picture["b64_json"] = base64.b64encode(png).decode()
    wished = asked.response_format
    data = [{name: value for name, value in picture.items() if wished in (None, name)} for picture in found]
    return {"created": int(time.time()), "data": data}


def accepted_json(request: Request) -> None:
    """Refuse a client that would not take JSON."""
    if not any(word in request.headers.get("accept", "*/*") for word in (JSON, "*/*", "application/*")):
        raise ServiceError(406, "not_acceptable", f"accept {JSON}")


def _translated(asked: OpenAIImage) -> TextToImage:
    names = set(TextToImage.model_fields) & set(OpenAIImage.model_fields)
    values = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    if asked.size and asked.size != "auto":
        values["width"], values["height"] = (int(side) for side in asked.size.split("x"))
        for side in ("width", "height"):
            if values[side] % 8 or not 64 <= values[side] <= 2048:
                raise refusal("size", f"is {asked.size}; sides are multiples of 8 from 64 to 2048")
    return TextToImage(**values, num_images=asked.n or 1)


def _in_openais_words(error: ServiceError) -> ServiceError:
    """Return a refusal by the name that the client sent."""
    told = error.details[0]["message"] if error.details else ""
    if error.param == "num_images":
        return refusal("n", told)
    if error.param in ("width", "height"):
        return refusal("size", f"does not fit: {error.param} {told}")
    return error


async def submitted(request: Request, body: TextToImage, photo: Upload | None = None) -> Job:
    """Return the job of a request; a photo is scaled beside the event loop."""
    service: Service = request.app.state.service
    decoders: Decoders = request.app.state.decoders
    given = body, photo, request.state.request_id
    job = service.submit(*given) if photo is None else await decoders.run(request.state.holder, service.submit, *given)
    note(request, job)
    return job


async def made(request: Request, job: Job) -> Job:
    """Return the job, done; a client that goes away cancels it.

    Raises:
        ServiceError: why there is no picture.
    """
    service: Service = request.app.state.service
    try:
        if not await ended(job, request):
            raise ServiceError(400, "client_gone", "the client went away")
    finally:
        service.cancel(job)  # where it has not ended
    if job.error:
        raise job.error
    return job


def note(request: Request, job: Job) -> None:
    """Let the log line of a request name its job, and hold its prompt where that is wished."""
    request.state.log = {"job": job.id}
    if request.app.state.settings.log_prompts:
        request.state.log["prompt"] = job.requests[0].prompt
