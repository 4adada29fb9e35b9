"""What OpenAI's clients send: each field is used, or read and left where it cannot change a picture, or refused."""

from typing import Literal

from pydantic import Field

from gentra_lora.pictures.limits import MOST_GUIDANCE, MOST_IMAGES
from gentra_lora.service.jobs.schemas import MAX_SEED, MOST_SCALE, SIZE, Prompt, SamplerName, Strict, Text

FileFormat = Literal["png", "jpeg", "webp"]
Quality = Literal["auto", "low", "medium", "high", "standard", "hd"]


class OpenAIImage(Strict):
    """A picture of a prompt; our own fields may stand beside OpenAI's."""

    prompt: Prompt = Field(examples=["a photo of a sport gentra at night, front view"])
    model: str | None = Field(None, description="any; this service has one")
    n: int | None = Field(None, ge=1, le=MOST_IMAGES)
    size: str | None = Field(None, pattern=SIZE, description="WIDTHxHEIGHT or auto")
    quality: Quality | None = Field(
        None, description="low: half as many steps as usual; high and hd: twice as many; else as usual"
    )
    output_format: FileFormat | None = Field(None, description="of the file; png where it is left out")
    output_compression: int | None = Field(None, ge=0, le=100, description="the quality of jpeg and webp")
    response_format: Literal["b64_json", "url"] | None = Field(None, description="left out, the answer holds both")
    stream: bool | None = Field(None, description="answer with server-sent events")
    partial_images: int | None = Field(None, ge=0, le=3, description="of one picture, while it is drawn; with stream")
    background: Literal["auto", "opaque"] | None = Field(None, description="a picture here is opaque")
    style: Literal["natural"] | None = Field(None, description="another one belongs in the prompt")
    moderation: Literal["auto", "low"] | None = Field(None, description="read and left: there is no filter here")
    user: str | None = Field(None, max_length=256, description="read and left")
    safety_identifier: str | None = Field(None, max_length=256, description="read and left")
    negative_prompt: Text = ""
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    num_inference_steps: int | None = Field(None, ge=1, le=100)
    guidance_scale: float | None = Field(None, ge=0, le=MOST_GUIDANCE)
    lora_scale: float | None = Field(None, ge=0, le=MOST_SCALE)
    sampler: SamplerName | None = None


class OpenAIEdit(OpenAIImage):
    """A photo, redrawn; without a size it keeps its shape at about the trained area."""

    input_fidelity: Literal["low", "high"] | None = Field(None, description="high: strength 0.3; low: as usual")
    strength: float | None = Field(None, gt=0, le=1, description="share of the steps redone; 0.3 keeps the photo")
