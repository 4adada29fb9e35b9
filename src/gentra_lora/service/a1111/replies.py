"""What A1111's clients read."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gentra_lora.service.http.openapi import REASONS, Responses


class A1111Error(BaseModel):
    """Every answer that is not the one asked for: `error` is a code for programs, `detail` a sentence for people."""

    error: str
    detail: str
    errors: str = Field(description="the same as detail")
    body: str = Field(description="empty")
    param: str | None = Field(description="the field that is to blame")
    request_id: str


class A1111Pictures(BaseModel):
    """The pictures of a request."""

    images: list[str] = Field(description="PNGs in base64")
    parameters: dict[str, Any] = Field(description="the request")
    info: str = Field(description="JSON: seeds, what was left out, A1111's texts, warnings")


class A1111State(BaseModel):
    """What is at work."""

    skipped: bool
    interrupted: bool
    job: str = Field(description="its id, empty where nothing is")
    job_count: int
    job_timestamp: str
    job_no: int
    sampling_step: int
    sampling_steps: int


class A1111Progress(BaseModel):
    """How far the oldest request is that the client has made by this API."""

    progress: float = Field(description="0 to 1")
    eta_relative: float = Field(description="seconds")
    state: A1111State
    current_image: str | None = Field(description="small previews, of several pictures as a grid, PNG in base64")
    textinfo: str | None


class A1111PictureText(BaseModel):
    """What a picture says of how it was made."""

    info: str = Field(description="A1111's text, empty without one")
    items: dict[str, str] = Field(description="the file's other texts")
    parameters: dict[str, str] = Field(description="the values of info")


class A1111Sampler(BaseModel):
    """A sampler."""

    name: str
    aliases: list[str]
    options: dict[str, str]


class A1111Scheduler(BaseModel):
    """A schedule that a sampler has."""

    name: str
    label: str


class A1111Model(BaseModel):
    """The base; its files have no hash as A1111 knows them."""

    model_config = ConfigDict(protected_namespaces=())

    title: str
    model_name: str
    hash: str | None
    sha256: str | None
    filename: str
    config: str | None


class A1111Lora(BaseModel):
    """The served adapter."""

    name: str = Field(description="as in <lora:NAME:0.8>")
    alias: str
    path: str
    metadata: dict[str, str]


class A1111Scripts(BaseModel):
    """None."""

    txt2img: list[str]
    img2img: list[str]


def refusals(*statuses: int) -> Responses:
    """Return FastAPI's `responses` for statuses whose answer is an A1111Error."""
    return {status: {"model": A1111Error, "description": REASONS[status]} for status in statuses}
