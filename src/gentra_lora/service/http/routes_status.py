"""Whether the service lives, whether it serves, what it serves; and the page."""

from importlib.metadata import version
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from gentra_lora.base.precision import DTYPES
from gentra_lora.base.sampler_names import DEFAULT
from gentra_lora.base.samplers import SAMPLERS, Sampler
from gentra_lora.service.errors import ServiceError, not_ready
from gentra_lora.service.http.openapi import refusals
from gentra_lora.service.jobs.revision import described, same_base
from gentra_lora.service.jobs.schemas import LEAST_SIDE, TextToImage
from gentra_lora.service.jobs.service import LOST, Service
from gentra_lora.service.replies.model import Model, Status
from gentra_lora.service.settings import ServiceSettings

router = APIRouter(tags=["status"])


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page for people."""
    return FileResponse(str(files("gentra_lora.service") / "page/index.html"))


@router.get("/favicon.ico", include_in_schema=False, status_code=204)
async def favicon() -> None:
    """Nothing: the page has its icon inside, and browsers ask for this one all the same."""


@router.get("/healthz", response_model=Status, responses=refusals(403, 503))
async def healthz(request: Request) -> dict[str, str]:
    """200 while the process answers and its device is not lost: restart it where this fails."""
    service: Service = request.app.state.service
    if not service.life.alive:
        raise not_ready(LOST)
    return {"status": "alive"}


@router.get("/readyz", response_model=Status, responses=refusals(403, 503))
async def readyz(request: Request) -> dict[str, str]:
    """200 once the weights have passed every check; else 503 with the reason."""
    service: Service = request.app.state.service
    life = service.life
    if life.state != "ready" or not life.alive:
        code = "draining" if life.state == "draining" else "not_ready"
        raise ServiceError(503, code, life.reason or LOST, headers={"Retry-After": "5"})
    return {"status": "ready"}


@router.get("/v1/model", response_model=Model, responses=refusals(401, 403, 503))
async def model(request: Request) -> dict[str, object]:
    """What is served: revision, hashes, base, trigger word, the revision's metrics, defaults and limits."""
    service: Service = request.app.state.service
    life, revision = service.life, service.life.revision
    if revision is None or life.worker is None:
        raise not_ready(life.reason)
    engine = life.worker.engine
    return described(revision) | {
        "base": life.identity,
        "base_matches": same_base(revision.base, life.identity),
        "defaults": {**revision.defaults, "sampler": DEFAULT},
        "limits": limits(request.app.state.settings),
        "samplers": [{"name": name, "title": title_of(sampler)} for name, sampler in SAMPLERS.items()],
        "device": engine.device.type,
        "precision": str(DTYPES[engine.precision]).removeprefix("torch."),
        "version": version("sport-gentra-lora"),
    }


def title_of(sampler: Sampler) -> str:
    """Return what people call a sampler."""
    return f"{sampler.title} {sampler.schedule}" if sampler.schedule == "Karras" else sampler.title


def limits(settings: ServiceSettings) -> dict[str, float]:
    """Return what the service refuses beyond."""
    return {
        "min_side": LEAST_SIDE,
        "max_side": settings.max_side,
        "max_pixels": settings.max_pixels,
        "max_steps": _most("num_inference_steps"),
        "max_images": settings.max_images,
        "max_sweep": settings.max_sweep,
        "max_upload_bytes": settings.max_upload_bytes,
        "max_photo_pixels": settings.max_photo_pixels,
        "max_lora_scale": _most("lora_scale"),
        "max_guidance_scale": _most("guidance_scale"),
    }


def _most(name: str) -> float:
    return next(limit.le for limit in TextToImage.model_fields[name].metadata if hasattr(limit, "le"))


@router.get("/metrics", response_class=Response, responses=refusals(401, 403))
async def metrics(request: Request) -> Response:
    """What Prometheus reads."""
    return Response(request.app.state.service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
