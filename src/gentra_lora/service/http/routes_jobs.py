"""Jobs: asked for, watched, fetched, cancelled."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gentra_lora.service.bodies.kinds import FORM, is_short, kind_of
from gentra_lora.service.bodies.objects import JSON_BYTES, read_prompt_or_photo
from gentra_lora.service.bodies.photos import opened_of, read_form
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.answers import event_of, job_state
from gentra_lora.service.http.openapi import documented, files_of, refusals
from gentra_lora.service.http.routes_pictures import submitted
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.schemas import MOST_SWEEP, ImageToImage, ImageToImageJson, TextToImage
from gentra_lora.service.jobs.watch import Watch
from gentra_lora.service.replies.jobs import JobAccepted, JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
JOB_ID = Path(pattern=r"^[\w-]{1,64}$")
PNG = files_of("image/png")


class Events(EventSourceResponse):
    """FastAPI's; without a media type of its own, the route's refusals are described as the JSON that they are."""

    media_type = ""


@router.post(
    "",
    status_code=202,
    response_model=JobAccepted,
    responses=refusals(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=documented(TextToImage, ImageToImageJson, ImageToImage),
)
async def create_job(request: Request, response: Response) -> dict[str, Any]:
    """Ask for pictures and be answered at once: JSON for a prompt, a form, or JSON with base64 in it, for a photo."""
    state = request.app.state
    state.service.check_open()
    job = await asked_for(request)
    links = {"self": f"/v1/jobs/{job.id}", "events": f"/v1/jobs/{job.id}/events"}
    response.headers["Location"] = links["self"]
    return {"id": job.id, "state": job.state, "position": state.service.queue.position(job), "links": links}


async def asked_for(request: Request) -> Job:
    """Return the job of a body; one with a photo has a place of its own in memory, a long one from its first byte."""
    settings, decoders, holder = request.app.state.settings, request.app.state.decoders, request.state.holder
    with ExitStack() as place:
        short = kind_of(request) != FORM and is_short(request, JSON_BYTES)
        if not short:
            place.enter_context(decoders.upload(holder))
        if kind_of(request) == FORM:
            return await submitted(request, *await read_form(request, settings, decoders))
        body = await read_prompt_or_photo(request, settings, decoders)
        if not isinstance(body, ImageToImageJson):
            return await submitted(request, body)
        if short:
            place.enter_context(decoders.upload(holder))
        return await submitted(request, *await opened_of(request, body, settings, decoders))


@router.get("/{job_id}", response_model=JobState, responses=refusals(401, 403, 404, 422))
async def read_job(request: Request, job_id: str = JOB_ID) -> dict[str, Any]:
    """How far a job is, and where its pictures are."""
    service = request.app.state.service
    job = service.find(job_id)
    return job_state(job, service.queue.position(job))


@router.delete("/{job_id}", response_model=JobState, responses=refusals(401, 403, 404, 422))
async def cancel_job(request: Request, job_id: str = JOB_ID) -> dict[str, Any]:
    """Cancel a job: its place is free at once, and its pictures leave their batch at the next step."""
    service = request.app.state.service
    job = service.find(job_id)
    service.cancel(job)
    return job_state(job, None)


@router.get("/{job_id}/images/{index}", response_class=Response, responses=PNG | refusals(401, 403, 404, 422))
async def read_picture(request: Request, job_id: str = JOB_ID, index: int = Path(ge=0, lt=MOST_SWEEP)) -> Response:
    """A picture of a job that is done."""
    job = request.app.state.service.find(job_id)
    if job.state != "done" or index >= len(job.pngs):
        raise ServiceError(404, "not_found", f"the job is {job.state} and has no picture {index}")
    return Response(job.pngs[index], media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


async def watched(request: Request, job_id: str = JOB_ID) -> AsyncIterator[Watch]:
    """Yield the Watch of a job; one that is not there is refused before the answer begins."""
    with Watch(request.app.state.service.find(job_id), previews=True) as watch:
        yield watch


@router.get("/{job_id}/events", response_class=Events, responses=refusals(401, 403, 404, 422))
async def job_events(request: Request, watch: Annotated[Watch, Depends(watched)]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `queued` with a position, `step` with previews, then `done`, `failed` or `cancelled`."""
    job, told = watch.job, None
    while True:  # the newest state after each change: a slow reader misses steps, never the end
        name, values = event_of(job, request.app.state.service.queue.position(job))
        if (name, values) != told:
            told = (name, values)
            yield ServerSentEvent(event=name, data=values)
        if name in ("done", "failed", "cancelled"):
            return
        await watch.changed(1 if name == "queued" else None)  # FastAPI keeps the connection alive meanwhile
