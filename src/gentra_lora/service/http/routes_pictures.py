"""POST a prompt or a photo, get the picture."""

from fastapi import APIRouter, Request, Response

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.answers import accepted_type, picture_answer
from gentra_lora.service.http.bodies import read_img2img, read_json
from gentra_lora.service.http.decoders import Decoders
from gentra_lora.service.http.openapi import Responses, documented, refusals
from gentra_lora.service.http.reply_schemas import Pictures
from gentra_lora.service.http.uploads import Upload
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.schemas import ImageToImage, ImageToImageJson, TextToImage
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.jobs.watch import ended

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
