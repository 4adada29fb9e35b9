"""Another revision, without a dropped request."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from fastapi import APIRouter, Request

from gentra_lora.service.bodies.objects import read_json
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.guesses import Guesses
from gentra_lora.service.http.middleware import bearer_of, client_of
from gentra_lora.service.http.openapi import documented, refusals
from gentra_lora.service.jobs.lifecycle import settle
from gentra_lora.service.jobs.revision import described
from gentra_lora.service.jobs.schemas import Reload
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.replies.model import Reloaded
from gentra_lora.service.settings import ServiceSettings

Result = TypeVar("Result")
router = APIRouter(prefix="/v1/admin", tags=["admin"])


@router.post(
    "/reload",
    response_model=Reloaded,
    responses=refusals(400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
    openapi_extra=documented(Reload),
)
async def reload(request: Request) -> dict[str, object]:
    """Serve another revision once it has passed every check; until then, and where it does not, the old one serves.

    Needs `Authorization: Bearer` with the admin token.
    """
    check_token(request)
    body = await read_json(request, Reload, request.app.state.settings)
    service: Service = request.app.state.service
    revision = await beside(lambda: service.life.reload(body.rev))
    return {name: value for name, value in described(revision).items() if name in Reloaded.model_fields}


async def beside(function: Callable[[], Result]) -> Result:
    """Return function(), called in a thread that does not hold up the end of the process, as those of pools do."""
    future: Future[Result] = Future()
    threading.Thread(target=settle, args=(future, function), name="reload", daemon=True).start()
    return await asyncio.wrap_future(future)


def check_token(request: Request) -> None:
    """Refuse who does not have the admin token.

    Raises:
        ServiceError: 403, there is none; 401, a wrong one; 429, too many wrong ones.
    """
    settings: ServiceSettings = request.app.state.settings
    token = settings.admin_token
    if token is None:
        raise ServiceError(403, "no_admin", "reloading is off; start the service with GENTRA_ADMIN_TOKEN")
    guesses: Guesses = request.app.state.guesses
    secrets = [token.get_secret_value().encode()]
    if not guesses.admits(client_of(request.scope), bearer_of(request.headers), secrets, "admin token"):
        raise ServiceError(
            401,
            "unauthorized",
            "give the admin token as `Authorization: Bearer TOKEN`",
            headers={"WWW-Authenticate": "Bearer"},
        )
