"""What is served, its examples, what it counts and refuses."""

from pydantic import BaseModel, Field


class RevisionName(BaseModel):
    """Where the weights came from."""

    rev: str | None
    commit: str | None = Field(description="whose dvc.lock names the file; null where a file is served by itself")
    repo: str | None
    trained_at: str | None = Field(description="the commit that it was trained by, as the file says")


class File(BaseModel):
    """The weights themselves."""

    name: str
    md5: str
    sha256: str
    size: int


class Defaults(BaseModel):
    """What a request is given that does not say it."""

    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    lora_scale: float
    strength: float
    sampler: str


class Limits(BaseModel):
    """What this service refuses beyond."""

    min_side: int
    max_side: int
    max_pixels: int
    max_steps: int
    max_images: int
    max_sweep: int
    max_upload_bytes: int
    max_photo_pixels: int
    max_lora_scale: float
    max_guidance_scale: float


class NamedSampler(BaseModel):
    """A sampler and what people call it."""

    name: str
    title: str


class Model(BaseModel):
    """What is served."""

    revision: RevisionName
    file: File
    base: str
    base_matches: bool = Field(description="whether it is the base that the adapter was trained on")
    trigger_word: str
    metrics: dict
    metrics_fault: str | None = Field(description="why the commit's metrics are not of these weights, and not here")
    defaults: Defaults
    limits: Limits
    samplers: list[NamedSampler]
    device: str
    precision: str
    version: str


class Example(BaseModel):
    """A request of the evaluation, and where its picture is."""

    prompt: str
    seed: int
    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    url: str


class ExampleList(BaseModel):
    """The examples of the served weights; none where their evaluation is not at hand."""

    examples: list[Example]


class Tokens(BaseModel):
    """How long a text is to the text encoder."""

    tokens: int
    limit: int = Field(description="as many as it reads")


class Reloaded(BaseModel):
    """What is served from now on."""

    revision: RevisionName
    file: File
    base: str
    trigger_word: str
    metrics: dict
    metrics_fault: str | None = Field(description="why the commit's metrics are not of these weights, and not here")


class Status(BaseModel):
    """One word."""

    status: str
