"""POST a prompt or a photo, get the picture."""

from typing import Any

from fastapi import APIRouter, Request, Response

from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.objects import read_json
from gentra_lora.service.bodies.photos import read_img2img
from gentra_lora.service.bodies.uploads import Upload
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.answers import JSON, PNG, accepted_type, picture_answer
from gentra_lora.service.http.openapi import documented, files_of, refusals
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import LISTS, ImageToImage, TextToImage
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.jobs.watch import ended
from gentra_lora.service.replies.pictures import Pictures

router = APIRouter(prefix="/v1", tags=["pictures"])
REFUSALS = refusals(400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)
PICTURE: dict[str, Any] = {"response_model": None, "response_class": Response, "responses": files_of(PNG) | REFUSALS}


@router.post("/txt2img", include_in_schema=False, response_model=Pictures)
async def txt2img(request: Request) -> Response | dict[str, object]:
    """Draw a prompt, and answer as the Accept header says; the document describes a route for each kind of answer."""
    return await drawn(request)


@router.post("/txt2img/png", **PICTURE, openapi_extra=documented(TextToImage))
async def txt2img_png(request: Request) -> Response | dict[str, object]:
    """Draw a prompt, and answer with the picture itself."""
    return await drawn(request, PNG)


@router.post("/txt2img/json", response_model=Pictures, responses=REFUSALS, openapi_extra=documented(TextToImage))
async def txt2img_json(request: Request) -> Response | dict[str, object]:
    """Draw a prompt, and answer with the pictures in base64."""
    return await drawn(request, JSON)


@router.post("/img2img", include_in_schema=False, response_model=Pictures)
async def img2img(request: Request) -> Response | dict[str, object]:
    """Redraw a photo, and answer as the Accept header says; see `txt2img`.

    Here and behind it the body may be JSON, too. The document tells of forms alone: generated Python clients break at
    routes of two kinds of body.
    """
    return await redrawn(request)


@router.post("/img2img/png", **PICTURE, openapi_extra=documented(ImageToImage))
async def img2img_png(request: Request) -> Response | dict[str, object]:
    """Redraw a photo: any that a phone or a forum gives, upright and in its own shape; answer with the picture."""
    return await redrawn(request, PNG)


@router.post(
    "/img2img/json",
    response_model=Pictures,
    responses=REFUSALS,
    openapi_extra=documented(ImageToImage),
)
async def img2img_json(request: Request) -> Response | dict[str, object]:
    """Redraw a photo, and answer with the pictures in base64."""
    return await redrawn(request, JSON)


async def drawn(request: Request, media_type: str | None = None) -> Response | dict[str, object]:
    """Return the answer to a prompt, in a media type where the route has one."""
    service: Service = request.app.state.service
    service.check_open()
    body = await read_json(request, TextToImage, request.app.state.settings)
    media_type = media_type_of(request, body, media_type)
    return picture_answer(await made(request, await submitted(request, body)), media_type)


async def redrawn(request: Request, media_type: str | None = None) -> Response | dict[str, object]:
    """Return the answer to a photo; see `drawn`."""
    service: Service = request.app.state.service
    decoders: Decoders = request.app.state.decoders
    service.check_open()
    with decoders.upload(request.state.holder):
        body, photo = await read_img2img(request, request.app.state.settings, decoders)
        media_type = media_type_of(request, body, media_type)
        job = await submitted(request, body, photo)
        del photo  # the whole of it; what is drawn is scaled
    return picture_answer(await made(request, job), media_type)


def media_type_of(request: Request, body: TextToImage, of_route: str | None) -> str:
    """Return the media type of the answer: the route's, else what the client accepts.

    Raises:
        ServiceError: 406, the client takes none; 422, a PNG is to hold several pictures.
    """
    if of_route is None:
        return accepted_type(request, body.pictures)
    if of_route == PNG and body.pictures > 1:
        field = next((name for name in LISTS if getattr(body, name, None)), "num_images")
        raise refusal(field, f"asks for {body.pictures} pictures, and {PNG} holds one; ask for JSON")
    return of_route


async def submitted(request: Request, body: TextToImage, photo: Upload | None = None) -> Job:
    """Return the job of a request; a photo is scaled beside the event loop."""
    service: Service = request.app.state.service
    decoders: Decoders = request.app.state.decoders
    given = body, photo, request.state.request_id
    job = service.submit(*given) if photo is None else await decoders.scale(service.submit, *given)
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
