"""What kind of body a request has, and its arrival in time."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from gentra_lora.service.errors import ServiceError

JSON, FORM = "application/json", "multipart/form-data"
Arrived = TypeVar("Arrived")


def kind_of(request: Request) -> str:
    """Return the media type of a request's body."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def is_short(request: Request, most_bytes: int) -> bool:
    """Return whether a body says that it has at most so many bytes."""
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= most_bytes


async def arrived(reading: Awaitable[Arrived], seconds: float) -> Arrived:
    """Return what `reading` gives.

    Raises:
        ServiceError: 408, it takes longer than that; 400, the client went away, or a form is damaged.
    """
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError as error:
        message = f"the body did not arrive within {seconds:g} s"
        raise ServiceError(408, "too_slow", message, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise ServiceError(400, "client_gone", "the client went away") from error
    except HTTPException as error:
        raise ServiceError(400, "invalid_request", f"the form is damaged: {error.detail}") from error
