"""JSON, read strictly: each name once, no unknown ones, in UTF-8."""

import codecs
import contextlib
import json
import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.kinds import JSON, arrived, kind_of
from gentra_lora.service.bodies.sentences import invalid
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import ImageToImageJson, TextToImage
from gentra_lora.service.settings import ServiceSettings

JSON_BYTES = 256 * 1024  # of JSON, without the photos in it
PHOTO = re.compile(rb'"(?:data:[\w/+.;=-]{0,100},)?[A-Za-z0-9+/=\\]{1024,}"')
Body = TypeVar("Body", bound=BaseModel)
Other = TypeVar("Other", bound=BaseModel)


async def read_json(request: Request, schema: type[Body], settings: ServiceSettings) -> Body:
    """Return a JSON body as `schema`.

    Raises:
        ServiceError: 415, not JSON; 408, it does not arrive; 422, it does not hold what it must.
    """
    return _parsed(await _json_of(request, settings), schema)


async def read_photo_json(request: Request, schema: type[Body], settings: ServiceSettings, decoders: Decoders) -> Body:
    """Return a JSON body with photos in it as `schema`; it is parsed beside the event loop.

    Raises:
        ServiceError: 413, it is large even without them; see `read_json`.
    """
    content = await _json_of(request, settings)
    return await decoders.run(request.state.holder, _parsed_beside_photos, content, schema, schema)


async def read_prompt_or_photo(
    request: Request, settings: ServiceSettings, decoders: Decoders
) -> TextToImage | ImageToImageJson:
    """Return a JSON body that asks for a picture of a prompt, or for a photo, which it holds, redrawn.

    Raises:
        ServiceError: see `read_photo_json`.
    """
    content = await _json_of(request, settings)
    schemas = TextToImage, ImageToImageJson
    if len(content) <= JSON_BYTES:
        return _parsed(content, *schemas)  # a prompt waits for no photo of its client
    return await decoders.run(request.state.holder, _parsed_beside_photos, content, *schemas)


async def _json_of(request: Request, settings: ServiceSettings) -> bytes:
    if kind_of(request) != JSON:
        raise ServiceError(415, "unsupported_media_type", f"the body must be {JSON}")
    return (await arrived(request.body(), settings.upload_seconds)).removeprefix(codecs.BOM_UTF8)


def _parsed_beside_photos(content: bytes, schema: type[Body], with_photo: type[Other]) -> Body | Other:
    """Return JSON as `schema`, or as `with_photo` where it names a photo or a mask."""
    # A list of millions of numbers takes far more memory than its text; a photo in base64 takes less.
    if len(PHOTO.sub(b"", content)) > JSON_BYTES:
        message = f"the body has more than {JSON_BYTES} bytes beside photos in base64; send a smaller one"
        raise ServiceError(413, "too_large", message)
    return _parsed(content, schema, with_photo)


def _parsed(content: bytes, schema: type[Body], with_photo: type[Other] | None = None) -> Body | Other:
    try:
        names = _names_in(content)
        if with_photo and names & {"image", "mask"}:
            return with_photo.model_validate_json(content, strict=True)
        return schema.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise invalid(error) from error


def _names_in(content: bytes) -> set[str]:
    """Return the names in a JSON object, none where it cannot be read: pydantic then tells why.

    Raises:
        ServiceError: 422, a thing is said twice; with its name.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, value in pairs:
            if name in values:
                raise refusal(name, "is there twice; send it once")
            values[name] = value
        return values

    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(content, object_pairs_hook=unique)
        return set(found) if isinstance(found, dict) else set()
    return set()
