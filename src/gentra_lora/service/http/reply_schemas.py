"""What answers hold."""

from pydantic import BaseModel, ConfigDict, Field

from gentra_lora.service.jobs.job import State


class FieldError(BaseModel):
    """One field that is not as it must be."""

    field: str
    message: str


class Error(BaseModel):
    """What went wrong: `code` for programs, `message` for people."""

    type: str
    code: str
    message: str
    param: str | None
    details: list[FieldError]


class ErrorBody(BaseModel):
    """Every answer that is not the one asked for."""

    error: Error
    request_id: str


class Parameters(BaseModel):
    """Everything that makes the picture again; the PNG holds it, too."""

    model_config = ConfigDict(extra="allow")

    prompt: str
    negative_prompt: str
    seed: int
    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    lora_scale: float
    sampler: str
    strength: float | None
    photo_sha256: str | None
    mask_sha256: str | None = Field(description="of the file that said what may change")
    base: str
    adapter: str = Field(description="the name of its file, as in <lora:NAME:0.8>")
    adapter_sha256: str
    adapter_model_hash: str = Field(description="sha256 of the file without its header, as A1111 knows it")
    commit: str | None
    precision: str


class Timings(BaseModel):
    """Seconds."""

    queued: float
    denoising: float
    decoding: float


class Picture(BaseModel):
    """A picture in an answer."""

    seed: int
    width: int
    height: int
    b64_json: str = Field(description="the PNG in base64")
    parameters: Parameters


class Pictures(BaseModel):
    """The answer with all pictures of a request."""

    id: str
    images: list[Picture]
    warnings: list[str]
    timings: Timings


class JobPicture(BaseModel):
    """A picture of a job, to be fetched."""

    seed: int
    width: int
    height: int
    url: str
    parameters: Parameters


class JobAccepted(BaseModel):
    """A job that waits."""

    id: str
    state: State
    position: int | None
    links: dict[str, str]


class JobState(BaseModel):
    """How far a job is."""

    id: str
    state: State
    position: int | None = Field(description="among those that wait, from 1")
    step: int
    steps: int
    seeds: list[int]
    warnings: list[str]
    error: Error | None
    images: list[JobPicture]
    timings: Timings | None


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
