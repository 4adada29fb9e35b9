"""What A1111's clients look up before they draw: options, samplers, the base, the adapter."""

from fastapi import APIRouter, Request

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.service.a1111.replies import (
    A1111Lora,
    A1111Model,
    A1111Sampler,
    A1111Scheduler,
    A1111Scripts,
    refusals,
)
from gentra_lora.service.a1111.samplers import AUTOMATIC
from gentra_lora.service.a1111.schemas import A1111Options
from gentra_lora.service.a1111.translation import check_options
from gentra_lora.service.bodies.objects import read_json
from gentra_lora.service.errors import not_ready
from gentra_lora.service.http.openapi import documented
from gentra_lora.service.http.routes_status import title_of
from gentra_lora.service.jobs.revision import Revision, adapter_of
from gentra_lora.service.jobs.service import Service

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])
REFUSALS = refusals(401, 403, 503)


def serving(request: Request) -> tuple[Revision, str]:
    """Return what is served, and the identity of its base.

    Raises:
        ServiceError: 503, nothing yet.
    """
    service: Service = request.app.state.service
    if service.life.revision is None:
        raise not_ready(service.life.reason)
    return service.life.revision, service.life.identity


def model_name(identity: str) -> str:
    """Return what a base is called, without where it lies and its hash."""
    return identity.split("@")[0].split("/")[-1]


def options_of(served: tuple[Revision, str]) -> dict[str, object]:
    """Return what this service does, as A1111 calls it."""
    return {
        "sd_model_checkpoint": model_name(served[1]),
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
        "eta_noise_seed_delta": 0,
        "samples_format": "png",
        "return_grid": False,
    }


@router.get("/options", responses=REFUSALS)
async def a1111_options(request: Request) -> dict[str, object]:
    """What the service does, as A1111 calls it."""
    return options_of(serving(request))


@router.post(
    "/options",
    responses=refusals(400, 401, 403, 408, 413, 415, 422, 503),
    openapi_extra=documented(A1111Options),
)
async def set_a1111_options(request: Request) -> None:
    """Refuse every option but those that are as they are wished: they are of all clients, and who serves sets them."""
    served = serving(request)
    body = await read_json(request, A1111Options, request.app.state.settings)
    check_options(body.model_extra or {}, options_of(served))


@router.get("/samplers", response_model=list[A1111Sampler], responses=refusals(401, 403))
async def a1111_samplers() -> list[dict[str, object]]:
    """The samplers, each with the schedule that goes with its name."""
    return [
        {"name": title_of(sampler), "aliases": [key], "options": {"scheduler": sampler.schedule}}
        for key, sampler in SAMPLERS.items()
    ]


@router.get("/schedulers", response_model=list[A1111Scheduler], responses=refusals(401, 403))
async def a1111_schedulers() -> list[dict[str, str]]:
    """The schedules, of which each sampler has one or two."""
    labels = [AUTOMATIC.capitalize(), *dict.fromkeys(sampler.schedule for sampler in SAMPLERS.values())]
    return [{"name": label.casefold().replace(" ", "_"), "label": label} for label in labels]


@router.get("/sd-models", response_model=list[A1111Model], responses=REFUSALS)
async def a1111_models(request: Request) -> list[dict[str, object]]:
    """The base."""
    name = model_name(serving(request)[1])
    nothing = {"hash": None, "sha256": None, "config": None}
    return [{"title": name, "model_name": name, "filename": name, **nothing}]


@router.get("/loras", response_model=list[A1111Lora], responses=REFUSALS)
async def a1111_loras(request: Request) -> list[dict[str, object]]:
    """The served adapter, by whose name a prompt sets its strength."""
    revision, _ = serving(request)
    metadata = {"modelspec.trigger_phrase": revision.trigger_word, "sshs_model_hash": revision.model_hash}
    names = {"name": adapter_of(revision), "alias": revision.alias or adapter_of(revision)}
    return [{**names, "path": revision.file["name"], "metadata": metadata}]


@router.get("/scripts", response_model=A1111Scripts, responses=refusals(401, 403))
async def a1111_scripts() -> dict[str, list[str]]:
    """None: clients ask for them before they send any."""
    return {"txt2img": [], "img2img": []}
