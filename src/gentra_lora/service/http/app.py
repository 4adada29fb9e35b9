"""The HTTP application: routes that read, submit, wait and answer."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import compile_path
from starlette.staticfiles import StaticFiles

from gentra_lora.service.a1111 import routes_lists, routes_png_info, routes_tasks
from gentra_lora.service.a1111 import routes_pictures as a1111_pictures
from gentra_lora.service.a1111.tasks import Tasks
from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.sentences import invalid
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http import routes_admin, routes_jobs, routes_page, routes_pictures, routes_status
from gentra_lora.service.http.guesses import Guesses
from gentra_lora.service.http.middleware import Guard
from gentra_lora.service.http.openapi import add_bodies
from gentra_lora.service.jobs.examples import Examples
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.openai import routes as routes_openai
from gentra_lora.service.openai.links import Links
from gentra_lora.service.settings import ServiceSettings

EXPOSED = ["Retry-After", "X-Request-ID", "X-Job-ID", "X-Seed", "X-Size", "X-Commit", "X-Weights-SHA256", "X-Warnings"]
CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "DELETE"],
    "allow_headers": ["*"],  # whatever a client's library tells of itself; the origins are named one by one
    "expose_headers": EXPOSED,
}
PARTS = {
    "always": (routes_status, routes_page),
    "pictures": (routes_pictures, routes_openai, a1111_pictures, routes_lists, routes_png_info),
    "jobs": (routes_jobs, routes_tasks),
    "admin": (routes_admin,),
}
DESCRIPTION = """Pictures of one subject by the exact weights of a git revision.

`POST /v1/txt2img` and `/v1/img2img` answer as the Accept header says: with `image/png`, or for several pictures and by
wish with JSON. For programs that write clients, `/png` and `/json` behind them answer with one kind each.
`POST /v1/jobs` answers at once, and the job is watched.
"""


def create_app(
    settings: ServiceSettings, service: Service | None = None, parts: Iterable[str] = ("pictures", "jobs", "admin")
) -> FastAPI:
    """Return the application of a service, which it starts and stops.

    Args:
        service: one that was made already.
        parts: which routes there are beside the status; replicas that share no jobs leave the last two out.
    """
    service = service or Service(settings)
    app = FastAPI(
        title="Sport Gentra LoRA",
        version=version("sport-gentra-lora"),
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation,
    )
    for name, value in state_of(settings, service, parts).items():
        setattr(app.state, name, value)
    for part in ("always", *parts):
        for module in PARTS[part]:
            app.include_router(module.router)
    app.mount("/page", StaticFiles(directory=str(files("gentra_lora.service") / "page")), name="page")
    # Refusals go up to the guard, which alone answers with them.
    app.exception_handler(HTTPException)(_plain)
    app.exception_handler(RequestValidationError)(_invalid)
    app.openapi = add_bodies(app, settings)  # type: ignore[method-assign]  # as FastAPI's own documentation has it
    guards = {"guesses": app.state.guesses, "links": app.state.links}
    app.add_middleware(Guard, settings=settings, metrics=service.metrics, **guards)
    if settings.cors_origins:  # outermost, so that refusals can be read as well
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **CORS)
    return app


def state_of(settings: ServiceSettings, service: Service, parts: Iterable[str]) -> dict[str, object]:
    """Return what the routes find in `request.app.state`, by its names."""
    return {
        "service": service,
        "settings": settings,
        "has_jobs": "jobs" in parts,
        "decoders": Decoders(settings.uploads_per_client, settings.upload_seconds),
        "examples": Examples(settings),
        "guesses": Guesses(),
        "links": Links(),
        "tasks": Tasks(),
    }


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    if service.life.state == "starting":
        service.life.start()
    yield
    await asyncio.to_thread(service.stop)
    app.state.decoders.close()


def _operation(route: APIRoute) -> str:
    """Return an operation's name in clients that are generated."""
    return "_".join([*map(str, route.tags), route.name])


async def _invalid(request: Request, error: RequestValidationError) -> NoReturn:
    """Refuse in our own shape what FastAPI refuses by itself: a part of the path that is not as it must be."""
    raise invalid(error) from error


async def _plain(request: Request, error: HTTPException) -> NoReturn:
    """Refuse in our own shape what starlette refuses by itself: no such path, no such method."""
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = _allowed(request, headers["Allow"])
    raise ServiceError(error.status_code, code, str(error.detail), headers=headers) from error


def _allowed(request: Request, by_route: str) -> str:
    """Return the methods of all routes of a path; starlette names those of the first, `by_route`."""
    paths, path = request.app.openapi()["paths"], request.scope["path"]
    found = {word.upper() for form, words in paths.items() if compile_path(form)[0].match(path) for word in words}
    return ", ".join(sorted(found)) or by_route
