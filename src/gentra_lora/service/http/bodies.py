"""Bodies of requests, read by their kind and checked against a schema."""

import asyncio
import codecs
import contextlib
import json
import re
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.decoders import Decoders
from gentra_lora.service.http.uploads import Upload, read_base64, read_upload
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import TOLD, ImageToImage, ImageToImageJson
from gentra_lora.service.settings import ServiceSettings

# In words of people who fill in a field, by pydantic's type of an error.
SENTENCES = {
    "extra_forbidden": "is not known here; remove it",
    "missing": "is missing",
    "model_type": "must be a JSON object",
    "string_type": "must be a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "multiple_of": "must be a multiple of {multiple_of:g}",
    "literal_error": "must be {expected}",
    "string_too_long": "has more than {max_length} characters",
    **dict.fromkeys(("too_short", "string_too_short"), "is empty"),
    "string_pattern_mismatch": "{told}",
}
JSON, FORM = "application/json", "multipart/form-data"
FILES = {"image": "photo", "mask": "mask"}  # the fields of a form that are files
MOST_FILES = 8  # of a form; as many are told apart, and named where there is one too many
MOST_DETAILS = 20  # of one refusal
TEXT_BYTES = 64 * 1024  # of one field that is no file
JSON_BYTES = 256 * 1024  # of JSON, without the photos in it
PHOTO = re.compile(rb'"(?:data:[\w/+.;=-]{0,100},)?[A-Za-z0-9+/=\\]{1024,}"')
Body = TypeVar("Body", bound=BaseModel)
Arrived = TypeVar("Arrived")


class StrictForm(MultiPartParser):
    """Takes a form that is whole and in UTF-8, where its parent guesses.

    It keeps files in memory, however large: the guard has bounded them, and a full disk then harms nobody.
    """

    spool_max_size = 2**31
    whole = False

    def on_headers_finished(self) -> None:
        _decoded(self._current_part.content_disposition or b"", "the name of a field")
        super().on_headers_finished()

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            _decoded(bytes(self._current_part.data), self._current_part.field_name)
        super().on_part_end()

    def on_end(self) -> None:
        self.whole = True

    async def parse(self) -> FormData:
        """Return the form.

        Raises:
            MultiPartException: it ends before its last boundary, or is not in UTF-8.
        """
        form = await super().parse()
        problem = None if self.whole else "it ends before its last boundary"
        if self._charset != "utf-8":
            problem = f"its charset is {self._charset}; send UTF-8"
        if problem:
            await form.close()
            raise MultiPartException(problem)
        return form


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MultiPartException(f"{name} is not UTF-8 at byte {error.start} (0x{data[error.start]:02X})") from error


def kind_of(request: Request) -> str:
    """Return the media type of a request's body."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


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
    return await decoders.run(request.state.holder, _parsed_beside_photos, content, schema)


async def _json_of(request: Request, settings: ServiceSettings) -> bytes:
    if kind_of(request) != JSON:
        raise ServiceError(415, "unsupported_media_type", f"the body must be {JSON}")
    return (await _arrived(request.body(), settings.upload_seconds)).removeprefix(codecs.BOM_UTF8)


def _parsed_beside_photos(content: bytes, schema: type[Body]) -> Body:
    # A list of millions of numbers takes far more memory than its text; a photo in base64 takes less.
    if len(PHOTO.sub(b"", content)) > JSON_BYTES:
        message = f"the body has more than {JSON_BYTES} bytes beside photos in base64; send a smaller one"
        raise ServiceError(413, "too_large", message)
    return _parsed(content, schema)


def _parsed(content: bytes, schema: type[Body]) -> Body:
    try:
        _check_names(content)
        return schema.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise invalid(error) from error


def _check_names(content: bytes) -> None:
    """Refuse JSON that says a thing twice; of what cannot be read at all, pydantic tells more.

    Raises:
        ServiceError: 422, with the name.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, value in pairs:
            if name in values:
                raise refusal(name, "is there twice; send it once")
            values[name] = value
        return values

    with contextlib.suppress(ValueError, RecursionError):
        json.loads(content, object_pairs_hook=unique)


async def read_img2img(request: Request, settings: ServiceSettings, decoders: Decoders) -> tuple[ImageToImage, Upload]:
    """Return what a form, or JSON, with a photo named `image` holds.

    Raises:
        ServiceError: see `read_form` and `read_photo_json`.
    """
    if kind_of(request) == FORM:
        return await read_form(request, settings, decoders)
    if kind_of(request) != JSON:
        raise ServiceError(415, "unsupported_media_type", f"the body must be {FORM} with a file named image, or {JSON}")
    body = await read_photo_json(request, ImageToImageJson, settings, decoders)
    given = body.image, settings.max_photo_pixels, body.mask
    photo = await decoders.run(request.state.holder, read_base64, *given)
    return ImageToImage(**body.model_dump(exclude=set(FILES))), photo


async def read_form(request: Request, settings: ServiceSettings, decoders: Decoders) -> tuple[ImageToImage, Upload]:
    """Return what a form with a file named `image`, and perhaps one named `mask`, holds.

    Raises:
        ServiceError: see `form_of` and uploads.read_upload.
    """
    form = await form_of(request, settings, MOST_FILES)
    try:
        values, files = _parts(form)
        body = from_texts(values, ImageToImage)
        photo, mask = await files["image"].read(), await files["mask"].read() if "mask" in files else None
        holder, most = request.state.holder, settings.max_photo_pixels
        return body, await decoders.run(holder, read_upload, photo, most, mask)
    finally:
        await form.close()


def from_texts(values: Mapping[str, str], schema: type[Body]) -> Body:
    """Return the texts of a form as `schema`.

    Raises:
        ServiceError: 422, it does not hold what it must.
    """
    try:
        return schema.model_validate_strings(values)
    except ValidationError as error:
        raise invalid(error) from error


async def form_of(request: Request, settings: ServiceSettings, most_files: int) -> FormData:
    """Return a form, which the caller closes.

    Raises:
        ServiceError: 415, none; 408, it does not arrive; 400, it cannot be read.
    """
    if kind_of(request) != FORM:
        raise ServiceError(415, "unsupported_media_type", f"the body must be {FORM} with a file named image")
    parser = StrictForm(Headers(scope=request.scope), request.stream(), max_files=most_files, max_fields=32)
    parser.max_part_size = TEXT_BYTES
    try:
        return await _arrived(parser.parse(), settings.upload_seconds)
    except (MultiPartException, KeyError, UnicodeDecodeError, ValueError) as error:
        message = getattr(error, "message", "it cannot be read")
        raise ServiceError(400, "invalid_request", f"the form is damaged: {message}") from error


async def _arrived(reading: Awaitable[Arrived], seconds: float) -> Arrived:
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


def _parts(form: FormData) -> tuple[dict[str, str], dict[str, UploadFile]]:
    """Return ({field: text}, {field: file}); the file `image` is there."""
    values: dict[str, str] = {}
    files: dict[str, UploadFile] = {}
    for name, value in form.multi_items():
        if name in files and isinstance(value, UploadFile):
            raise refusal(name, f"holds two files; send one {FILES[name]}")
        if name in values or name in files:
            raise refusal(name, "is there twice; send it once")
        if isinstance(value, UploadFile):
            if name not in FILES:
                raise refusal(name, f"is a file; only {' and '.join(FILES)} are")
            files[name] = value
        elif name in FILES:
            raise refusal(name, f"is a text; send the {FILES[name]} as a file")
        else:
            values[name] = value
    if "image" not in files:
        alone = ", and a mask alone draws nothing" if "mask" in files else ""
        raise refusal("image", f"is missing{alone}; send the photo as a file of that name")
    return values, files


def invalid(error: ValidationError | RequestValidationError) -> ServiceError:
    """Return the 422 of a body or path that is not as it must be, without repeating what was sent."""
    details = [
        {"field": ".".join(map(str, found["loc"])) or "body", "message": _sentence(found)} for found in error.errors()
    ]
    left_out = len(details) - MOST_DETAILS
    if left_out > 0:
        details = [*details[:MOST_DETAILS], {"field": "body", "message": f"has {left_out} more faults"}]
    first = details[0]
    message = f"{first['field']}: {first['message']}"
    return ServiceError(422, "invalid_request", message, param=first["field"], details=details)


def _sentence(found: Mapping[str, Any]) -> str:
    kind, limits = found["type"], found.get("ctx", {})
    if kind in SENTENCES:
        return SENTENCES[kind].format(**limits, told=TOLD.get(limits.get("pattern", ""), "is not of the form wanted"))
    text = found["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
