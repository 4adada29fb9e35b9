"""The parts of the OpenAPI description that FastAPI cannot see: bodies that we read ourselves."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gentra_lora.service.a1111.schemas import A1111Image, A1111ImageToImage, A1111Options, A1111TextToImage
from gentra_lora.service.jobs.schemas import ImageToImage, ImageToImageJson, Reload, TextToImage, Words
from gentra_lora.service.openai.wishes import OpenAIEdit, OpenAIImage
from gentra_lora.service.replies.faults import ErrorBody
from gentra_lora.service.settings import ServiceSettings

Responses = dict[int | str, dict[str, Any]]  # as FastAPI takes them
FILE = {"type": "string", "format": "binary"}
FORMS = (ImageToImage, OpenAIEdit)
A1111_BODIES = (A1111TextToImage, A1111ImageToImage, A1111Image, A1111Options)
BODIES = (TextToImage, OpenAIImage, Reload, Words, ImageToImageJson, *FORMS, *A1111_BODIES)
REASONS = {
    400: "the body cannot be read",
    401: "no key, or a wrong one",
    403: "not allowed",
    404: "not there",
    406: "no such kind of answer",
    408: "the body did not arrive in time",
    409: "another one is at work",
    413: "too large",
    415: "not the kind of body, or of file, that is read",
    422: "a field is not as it must be",
    429: "the queue is full; Retry-After says when to come again",
    500: "a fault of the service; the log says which, by the request's id",
    503: "not ready, or being stopped",
    504: "not done within the time limit",
}


def refusals(*statuses: int) -> Responses:
    """Return FastAPI's `responses` for statuses whose answer is an ErrorBody."""
    return {status: {"model": ErrorBody, "description": REASONS[status]} for status in statuses}


def files_of(*media_types: str) -> Responses:
    """Return FastAPI's `responses` for an answer that is a file of one of these types."""
    return {200: {"content": {kind: {"schema": FILE} for kind in media_types}}}


def documented(*schemas: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads one of these bodies."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for schema in schemas:
        kind = "multipart/form-data" if schema in FORMS else "application/json"
        kinds.setdefault(kind, []).append({"$ref": f"#/components/schemas/{schema.__name__}"})
    content = {kind: {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}} for kind, refs in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


def add_bodies(app: FastAPI, settings: ServiceSettings) -> Callable[[], dict[str, Any]]:
    """Return an `openapi` function for an application: with the bodies' schemas, in the limits of its settings."""
    plain = type(app).openapi

    def openapi() -> dict[str, Any]:
        document = app.openapi_schema
        if document is None:
            document = plain(app)
            template = "#/components/schemas/{model}"
            found = models_json_schema([(schema, "validation") for schema in BODIES], ref_template=template)[1]["$defs"]
            for schema in found.values():
                _narrow(schema, settings)
            for form in (found[schema.__name__] for schema in FORMS):
                form["properties"]["image"] = FILE | {"description": "the photo, a file"}
                form["required"].append("image")
            told = "white, or opaque where it has transparent parts, may change; of the photo's size"
            found["ImageToImage"]["properties"]["mask"] = FILE | {"description": told}
            document["components"]["schemas"] |= found
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{}, {"key": []}]
        return document

    return openapi


def _narrow(schema: dict[str, Any], settings: ServiceSettings) -> None:
    most = {"width": settings.max_side, "height": settings.max_side}
    most |= {"num_images": settings.max_images, "n": settings.max_images}
    for name, value in most.items():
        field = schema["properties"].get(name, {})
        for kind in field.get("anyOf", [field]):
            if "maximum" in kind:
                kind["maximum"] = value
