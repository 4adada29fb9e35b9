"""OpenAI's paths: pictures of a prompt, a photo edited, the pictures' addresses, the one model."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from gentra_lora.service.bodies.kinds import JSON
from gentra_lora.service.bodies.objects import read_json
from gentra_lora.service.bodies.uploads import Upload
from gentra_lora.service.errors import ServiceError, not_ready
from gentra_lora.service.http.answers import check_taken
from gentra_lora.service.http.openapi import Responses, documented, files_of, refusals
from gentra_lora.service.http.routes_jobs import JOB_ID
from gentra_lora.service.http.routes_pictures import made, submitted
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.pace import told_sizes
from gentra_lora.service.jobs.resolve import refusal, resolve
from gentra_lora.service.jobs.revision import Revision, adapter_of
from gentra_lora.service.jobs.schemas import TextToImage
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.openai.files import BEST, FileKind, file_of, kind_wished
from gentra_lora.service.openai.forms import read_edit
from gentra_lora.service.openai.links import Links
from gentra_lora.service.openai.replies import OpenAIModel, OpenAIModels, OpenAIPictures, pictures_of
from gentra_lora.service.openai.stream import events_of
from gentra_lora.service.openai.translated import check_form, in_openais_words, translated
from gentra_lora.service.openai.wishes import FileFormat, OpenAIEdit, OpenAIImage
from gentra_lora.service.settings import ServiceSettings

router = APIRouter(prefix="/v1", tags=["openai"])
REFUSALS = refusals(400, 401, 403, 406, 408, 413, 415, 422, 429, 500, 503, 504)
EVENTS = "text/event-stream"
FILES = files_of("image/png", "image/jpeg", "image/webp")
EVENT = {"type": "object", "properties": {name: {"type": "string"} for name in ("event", "data")}, "required": ["data"]}
STREAM: Responses = {200: {"content": {EVENTS: {"itemSchema": EVENT}}}}
ANSWER: dict[str, Any] = {
    "response_model": OpenAIPictures,
    "response_model_exclude_none": True,
    "responses": STREAM | REFUSALS,
}


@router.post("/images/generations", **ANSWER, openapi_extra=documented(OpenAIImage))
async def generate(request: Request) -> Response | dict[str, Any]:
    """Draw a prompt; at `url` the picture lies for some minutes."""
    revision = request.app.state.service.check_open()
    asked = await read_json(request, OpenAIImage, request.app.state.settings)
    check(request, asked)
    return await answered(request, asked, await asked_for(request, asked, revision))


@router.post("/images/edits", **ANSWER, openapi_extra=documented(OpenAIEdit))
async def edit(request: Request) -> Response | dict[str, Any]:
    """Redraw a photo as the prompt says."""
    state = request.app.state
    revision = state.service.check_open()
    with state.decoders.upload(request.state.holder):
        asked, photo = await read_edit(request, state.settings, state.decoders)
        check(request, asked)
        job = await asked_for(request, asked, revision, photo)
        del photo  # the whole of it; what is drawn is scaled
    return await answered(request, asked, job)


def check(request: Request, asked: OpenAIImage) -> None:
    """Refuse what cannot be answered.

    Raises:
        ServiceError: 406, a client that would not take it; 422, a file, a stream or an address that cannot be.
    """
    check_taken(request, *((JSON, EVENTS) if asked.stream else (JSON,)))
    check_form(asked)
    if asked.response_format == "url" and not request.app.state.has_jobs:
        raise refusal("response_format", "is url, and this replica keeps no pictures; take b64_json")


async def asked_for(request: Request, asked: OpenAIImage, revision: Revision, photo: Upload | None = None) -> Job:
    """Return the job of a request."""
    body = translated(asked, revision.defaults["num_inference_steps"])
    try:
        return await submitted(request, body, photo)
    except ServiceError as error:
        raise in_openais_words(error, lambda: sizes_for(request, body, revision)) from error


def sizes_for(request: Request, body: TextToImage, revision: Revision) -> str:
    """Return in words the sizes that a request could have."""
    service, defaults = request.app.state.service, revision.defaults
    pictures = min(body.num_images, service.settings.max_images)
    usual = body.model_copy(update={"width": None, "height": None, "num_images": 1})
    (one,) = resolve(usual, defaults, service.settings)
    return told_sizes(one, pictures, service.settings.max_pixels, defaults, service.settings, service.queue.pace)


async def answered(request: Request, asked: OpenAIImage, job: Job) -> Response | dict[str, Any]:
    """Return the answer once the pictures are made, or at once where it is a stream."""
    if asked.stream:
        return StreamingResponse(events_of(request.app.state.service, job, asked), media_type=EVENTS)
    job = await made(request, job)
    return await pictures_of(job, asked, addresses(request, job, kind_wished(asked)))


def addresses(request: Request, job: Job, kind: FileKind) -> list[str]:
    """Return where a job's pictures can be fetched, without a key for a while; none where they are not kept."""
    if not request.app.state.has_jobs:
        return []
    settings: ServiceSettings = request.app.state.settings
    links: Links = request.app.state.links
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    query = f"output_format={kind.format}&output_compression={kind.quality}"
    paths = [f"/v1/images/{job.id}/{index}" for index in range(len(job.pngs))]
    if settings.keys():
        return [f"{base}{links.signed(path, query, settings.job_seconds_kept)}" for path in paths]
    return [f"{base}{path}?{query}" for path in paths]


@router.get("/images/{job_id}/{index}", response_class=Response, responses=FILES | refusals(401, 403, 404, 422))
async def read_file(
    request: Request,
    job_id: str = JOB_ID,
    index: int = Path(ge=0, le=15),
    output_format: FileFormat = "png",
    output_compression: Annotated[int, Query(ge=0, le=100)] = BEST,
) -> Response:
    """A picture of a job that is done, at the address that an answer told."""
    job = request.app.state.service.find(job_id)
    if job.state != "done" or index >= len(job.pngs):
        raise ServiceError(404, "not_found", f"the job is {job.state} and has no picture {index}")
    kind = FileKind(output_format, output_compression)
    content = await asyncio.to_thread(file_of, job.pngs[index], job.records[index], kind)
    return Response(content, media_type=kind.media_type, headers={"Cache-Control": "private, max-age=600"})


@router.get("/models", response_model=OpenAIModels, responses=refusals(401, 403, 503))
async def models(request: Request) -> dict[str, Any]:
    """The one model that is served, for clients that let one be chosen."""
    return {"object": "list", "data": [served_model(request).model_dump()]}


@router.get("/models/{model_id}", response_model=OpenAIModel, responses=refusals(401, 403, 404, 422, 503))
async def model_named(request: Request, model_id: str) -> OpenAIModel:
    """The model of that name."""
    model = served_model(request)
    if model_id != model.id:
        raise ServiceError(404, "not_found", f"no such model; this service has {model.id}")
    return model


def served_model(request: Request) -> OpenAIModel:
    """Return what is served as a model.

    Raises:
        ServiceError: 503, nothing yet.
    """
    service: Service = request.app.state.service
    revision = service.life.revision
    if revision is None:
        raise not_ready(service.life.reason)
    return OpenAIModel(id=adapter_of(revision), object="model", created=0, owned_by=revision.repo or "here")
