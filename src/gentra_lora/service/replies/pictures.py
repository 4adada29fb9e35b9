"""Pictures in an answer, with everything that makes them again."""

from pydantic import BaseModel, ConfigDict, Field


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
    mask_inverted: bool
    mask_blur: float = Field(description="px")
    mask_content: str
    mask_padding: int | None = Field(description="px; null where no region was put back into its photo")
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
