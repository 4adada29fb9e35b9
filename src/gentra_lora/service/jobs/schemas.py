"""What requests hold; the limits here are of all services, a service's own settings may be narrower."""

import math
import unicodedata
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.photos.notation import says_nothing
from gentra_lora.pictures.limits import (
    LEAST_SIDE,
    MOST_GUIDANCE,
    MOST_IMAGES,
    MOST_PADDING,
    MOST_SIDE,
    SIDE_UNIT,
    MaskContent,
)

MAX_SEED = 2**53 - 1  # above, JavaScript and others would round it
MOST_SCALE = 2.0  # of the adapter
MOST_VALUES, MOST_SWEEP = 16, 64  # of an axis; pictures
if TYPE_CHECKING:  # a type checker knows no names but those that are spelled out
    SamplerName = str
else:
    SamplerName = Literal[tuple(SAMPLERS)]


SOME, SIZE, REV = r"\S", r"^(auto|[1-9]\d{1,3}x[1-9]\d{1,3})$", r"^[\w.@#/+-]+$"
TOLD = {  # what a text is that does not match
    SOME: "is empty; say what to draw",
    SIZE: "must be WIDTHxHEIGHT, such as 512x512, or auto",
    REV: "holds a character that no name of a revision has",
}


def _readable(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\r\n":
            raise ValueError(f"holds the control character U+{ord(character):04X}; remove it")
    return text


def _some(text: str) -> str:
    if says_nothing(text):
        raise ValueError(TOLD[SOME])
    return text


Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_readable)]
Prompt = Annotated[Text, StringConstraints(min_length=1, pattern=SOME), AfterValidator(_some)]


def _listed(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value  # of a form


Scale = Annotated[float, Field(ge=0, le=MOST_SCALE)]
Strength = Annotated[float, Field(gt=0, le=1)]
Scales = Annotated[list[Scale], Field(min_length=1, max_length=MOST_VALUES), BeforeValidator(_listed)]
Strengths = Annotated[list[Strength], Field(min_length=1, max_length=MOST_VALUES), BeforeValidator(_listed)]
LISTS = ("lora_scales", "strengths")  # of a sweep


class Strict(BaseModel):
    """Refuses what it does not know, and numbers that are none."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TextToImage(Strict):
    """A picture of a prompt. What is left out is as the served revision was evaluated; see /v1/model."""

    prompt: Prompt = Field(examples=["a photo of a sport gentra in the snow, side view"])
    negative_prompt: Text = Field("", description="what should not be there; unused at guidance_scale 1 and below")
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="picture k of several has seed + k; else drawn")
    num_inference_steps: int | None = Field(None, ge=1, le=100)
    guidance_scale: float | None = Field(
        None, ge=0, le=MOST_GUIDANCE, description="1 and below: without guidance, twice as fast"
    )
    width: int | None = Field(None, ge=LEAST_SIDE, le=MOST_SIDE, multiple_of=SIDE_UNIT)
    height: int | None = Field(None, ge=LEAST_SIDE, le=MOST_SIDE, multiple_of=SIDE_UNIT)
    num_images: int = Field(1, ge=1, le=MOST_IMAGES)
    lora_scale: float | None = Field(
        None, ge=0, le=MOST_SCALE, description="strength of the adapter; 0 is the base itself"
    )
    sampler: SamplerName | None = None
    lora_scales: Scales | None = Field(
        None, description="a sweep, in place of lora_scale: num_images pictures for each; in a form comma-separated"
    )

    @property
    def pictures(self) -> int:
        """How many are asked for."""
        axes = [getattr(self, name, None) or [None] for name in LISTS]
        return self.num_images * math.prod(map(len, axes))


class ImageToImage(TextToImage):
    """A photo, redrawn. Without width and height it keeps its shape at about the trained area."""

    strength: float | None = Field(None, gt=0, le=1, description="share of the steps redone; 0.3 keeps the photo")
    strengths: Strengths | None = Field(None, description="a sweep, in place of strength, side by side for each scale")
    mask_content: MaskContent | None = Field(
        None, description="what the mask's white part begins as: the photo, its colours around it, or latents"
    )
    mask_padding: int | None = Field(
        None,
        ge=0,
        le=MOST_PADDING,
        description="px; the mask's white part and so much around it is drawn at the size asked for, and put back",
    )


class ImageToImageJson(ImageToImage):
    """The same with the photo inside, for clients that send no forms."""

    image: str = Field(description="the photo's file in base64; `data:image/png;base64,` may stand before it")
    mask: str | None = Field(None, description="the mask's file in base64; white may change, black stays")


class Words(Strict):
    """A text whose tokens are to be counted."""

    text: Text


class Reload(Strict):
    """Which revision is to be served; left out, what the service was started with, looked up again."""

    rev: str | None = Field(None, min_length=1, max_length=200, pattern=REV, examples=["main"])
