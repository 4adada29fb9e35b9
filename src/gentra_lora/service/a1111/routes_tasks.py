"""A1111's progress and interrupt: of the client's own requests by this API, without an id."""

from fastapi import APIRouter, Request

from gentra_lora.service.a1111.replies import A1111Progress, refusals
from gentra_lora.service.a1111.tasks import Tasks, progress_of
from gentra_lora.service.jobs.service import Service

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@router.get("/progress", response_model=A1111Progress, responses=refusals(401, 403, 422))
async def a1111_progress(request: Request, skip_current_image: bool = False) -> dict[str, object]:
    """How far the oldest request is that the client has made by this API and that has not ended."""
    service: Service = request.app.state.service
    tasks: Tasks = request.app.state.tasks
    job = tasks.current(request.state.holder)
    if job and not skip_current_image:
        job.previews_wanted = max(job.previews_wanted, 1)  # from its next step on
    return progress_of(job, service.queue.position(job) if job else None, not skip_current_image)


@router.post("/interrupt", responses=refusals(401, 403))
async def a1111_interrupt(request: Request) -> dict[str, str]:
    """Cancel the request that /progress tells of; it is answered 409."""
    service: Service = request.app.state.service
    tasks: Tasks = request.app.state.tasks
    job = tasks.current(request.state.holder)
    if job:
        service.cancel(job)
    return {}
