"""What OpenAI's clients read."""

import asyncio
import base64
import time
from typing import Any, Literal

from pydantic import BaseModel, Field

from gentra_lora.service.jobs.job import Job
from gentra_lora.service.openai.files import file_of, kind_wished
from gentra_lora.service.openai.wishes import FileFormat, OpenAIImage

USUAL = dict.fromkeys((None, "auto", "standard", "medium"), "medium")
QUALITIES = USUAL | {"low": "low", "high": "high", "hd": "high"}  # as answers name them


class OpenAIPicture(BaseModel):
    """A picture, in base64 or by its address."""

    b64_json: str | None = None
    url: str | None = None


class OpenAIPictures(BaseModel):
    """The pictures of a request."""

    created: int
    background: Literal["opaque"]
    output_format: FileFormat
    quality: Literal["low", "medium", "high"]
    size: str = Field(description="WIDTHxHEIGHT")
    data: list[OpenAIPicture]


class OpenAIModel(BaseModel):
    """The adapter that is served, as a model."""

    id: str
    object: Literal["model"]
    created: int = Field(description="0: its file does not say when")
    owned_by: str


class OpenAIModels(BaseModel):
    """All models: one."""

    object: Literal["list"]
    data: list[OpenAIModel]


async def pictures_of(job: Job, asked: OpenAIImage, addresses: list[str]) -> dict[str, Any]:
    """Return the answer with a job's pictures.

    Args:
        addresses: of the pictures, where they can be fetched.
    """
    data: list[dict[str, str]] = [{} for _ in job.pngs]
    if asked.response_format != "b64_json":
        for picture, address in zip(data, addresses, strict=False):
            picture["url"] = address
    if asked.response_format != "url":
        for picture, index in zip(data, range(len(job.pngs)), strict=True):
            picture["b64_json"] = await encoded_picture(job, index, asked)
    return {"created": int(time.time()), **described(job, asked), "data": data}


async def encoded_picture(job: Job, index: int, asked: OpenAIImage) -> str:
    """Return a picture's file in base64."""
    content = await asyncio.to_thread(file_of, job.pngs[index], job.records[index], kind_wished(asked))
    return base64.b64encode(content).decode()


def described(job: Job, asked: OpenAIImage) -> dict[str, str]:
    """Return what an answer says of all its pictures."""
    first = job.requests[0]
    return {
        "background": "opaque",
        "output_format": kind_wished(asked).format,
        "quality": QUALITIES[asked.quality],
        "size": f"{first.width}x{first.height}",
    }
