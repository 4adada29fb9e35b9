"""Jobs: asked for, watched, fetched, cancelled."""

import json

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import StreamingResponse

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.answers import event_of, job_state
from gentra_lora.service.http.bodies import FORM, kind_of, read_form, read_json
from gentra_lora.service.http.openapi import documented, refusals
from gentra_lora.service.http.reply_schemas import JobAccepted, JobState
from gentra_lora.service.http.routes_pictures import submitted
from gentra_lora.service.jobs.schemas import ImageToImage, TextToImage
from gentra_lora.service.jobs.watch import Watch

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
KEEP_ALIVE = 15  # seconds
UNBUFFERED = {"X-Accel-Buffering": "no"}  # nginx would hold events back
JOB_ID = Path(pattern=r"^[\w-]{1,64}$")
EVENTS = {200: {"content": {"text/event-stream": {}}}}
PNG = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post(
    "",
    status_code=202,
    response_model=JobAccepted,
    responses=refusals(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra=documented(TextToImage, ImageToImage),
)
async def create_job(request: Request, response: Response):
    """Ask for pictures and be answered at once: JSON for a prompt, a form for a photo."""
    state = request.app.state
    state.service.check_open()
    if kind_of(request) == FORM:
        with state.decoders.upload():
            job = await submitted(request, *await read_form(request, state.settings, state.decoders))
    else:
        job = await submitted(request, await read_json(request, TextToImage, state.settings))
    links = {"self": f"/v1/jobs/{job.id}", "events": f"/v1/jobs/{job.id}/events"}
    response.headers["Location"] = links["self"]
    return {"id": job.id, "state": job.state, "position": state.service.queue.position(job), "links": links}


@router.get("/{job_id}", response_model=JobState, responses=refusals(401, 403, 404, 422))
async def read_job(request: Request, job_id: str = JOB_ID):
    """How far a job is, and where its pictures are."""
    service = request.app.state.service
    job = service.find(job_id)
    return job_state(job, service.queue.position(job))


@router.delete("/{job_id}", response_model=JobState, responses=refusals(401, 403, 404, 422))
async def cancel_job(request: Request, job_id: str = JOB_ID):
    """Cancel a job: its place is free at once, and its pictures leave their batch at the next step."""
    service = request.app.state.service
    job = service.find(job_id)
    service.cancel(job)
    return job_state(job, None)


@router.get("/{job_id}/images/{index}", response_class=Response, responses=PNG | refusals(401, 403, 404, 422))
async def read_picture(request: Request, job_id: str = JOB_ID, index: int = Path(ge=0, le=15)):
    """A picture of a job that is done."""
    job = request.app.state.service.find(job_id)
    if job.state != "done" or index >= len(job.pngs):
        raise ServiceError(404, "not_found", f"the job is {job.state} and has no picture {index}")
    return Response(job.pngs[index], media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@router.get("/{job_id}/events", response_class=StreamingResponse, responses=EVENTS | refusals(401, 403, 404, 422))
async def job_events(request: Request, job_id: str = JOB_ID):
    """Server-sent events: `queued` with a position, `step` with a preview, then `done`, `failed` or `cancelled`."""
    service = request.app.state.service
    job = service.find(job_id)
    return StreamingResponse(_events(service, job), media_type="text/event-stream", headers=UNBUFFERED)


async def _events(service, job):
    """Yield the newest state after each change: a slow reader misses steps, never the end."""
    told = None
    with Watch(job, previews=True) as watch:
        while True:
            name, values = event_of(job, service.queue.position(job))
            if (name, values) != told:
                told = (name, values)
                yield f"event: {name}\ndata: {json.dumps(values)}\n\n"
            if name in ("done", "failed", "cancelled"):
                return
            if not await watch.changed(1 if name == "queued" else KEEP_ALIVE):
                yield ": still there\n\n"
