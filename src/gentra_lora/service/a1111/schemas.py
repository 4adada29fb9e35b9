"""What A1111's clients send: fields that are used, fields that must be at rest, and fields without effect here."""

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from gentra_lora.pictures.limits import (
    LEAST_SIDE,
    MOST_BLUR,
    MOST_GUIDANCE,
    MOST_PADDING,
    MOST_SIDE,
    SIDE_UNIT,
)
from gentra_lora.service.jobs.schemas import MAX_SEED, Prompt, Strict, Text


def _only(*rest: object) -> AfterValidator:
    """Refuse every value but those at which a field changes nothing; null is one of them."""

    def check(value: object) -> object:
        if value is not None and value not in rest:
            raise ValueError("asks for what this service does not have; leave it out")
        return value

    return AfterValidator(check)


Off = Annotated[bool | None, _only(False)]
NoText = Annotated[str | None, _only("")]
Zero = Annotated[float | None, _only(0)]
One = Annotated[float | None, _only(1)]
NoSide = Annotated[int | None, _only(0, -1)]
Unused = Any  # it has no effect as long as the fields are at rest that would give it one


class A1111Picture(Strict):
    """What both kinds of pictures are told. What is left out, or null, is as the served revision was evaluated."""

    prompt: Prompt = Field(examples=["a photo of a sport gentra <lora:sport_gentra_lora:0.8>"])
    negative_prompt: Text | None = None
    seed: int | None = Field(-1, ge=-1, le=MAX_SEED, description="-1: drawn, and told in info")
    sampler_name: str | None = Field(None, description="one of /sdapi/v1/samplers")
    sampler_index: str | None = Field(None, description="an older name of sampler_name, which counts where both are")
    scheduler: str | None = Field(None, description="Automatic, or a schedule that the sampler has here")
    steps: int | None = Field(None, ge=1, le=100)
    cfg_scale: float | None = Field(None, ge=0, le=MOST_GUIDANCE)
    width: int | None = Field(None, ge=LEAST_SIDE, le=MOST_SIDE, multiple_of=SIDE_UNIT)
    height: int | None = Field(None, ge=LEAST_SIDE, le=MOST_SIDE, multiple_of=SIDE_UNIT)
    batch_size: int | None = Field(None, ge=1)
    n_iter: int | None = Field(None, ge=1, description="times batch_size pictures are made")
    override_settings: dict[str, Any] | None = Field(None, description="what GET /sdapi/v1/options says, no more")
    eta: float | None = Field(None, description="1 of samplers that add noise, 0 of DDIM")
    s_noise: float | None = Field(None, description="1 of samplers that add noise")

    styles: Annotated[list[str] | None, _only([])] = None
    subseed_strength: Zero = None
    seed_resize_from_h: NoSide = None
    seed_resize_from_w: NoSide = None
    restore_faces: Off = None
    tiling: Off = None
    s_churn: Zero = None
    s_min_uncond: Zero = None
    clip_skip: Annotated[int | None, _only(0, 1)] = None
    refiner_checkpoint: Annotated[str | None, _only("", "None")] = None
    disable_extra_networks: Off = None
    script_name: NoText = None
    alwayson_scripts: Annotated[dict[str, Any] | None, _only({})] = None
    infotext: NoText = None
    send_images: Annotated[bool | None, _only(True)] = None

    subseed: Unused = None
    s_tmin: Unused = None
    s_tmax: Unused = None
    override_settings_restore_afterwards: Unused = None
    refiner_switch_at: Unused = None
    script_args: Unused = None
    do_not_save_samples: Unused = None
    do_not_save_grid: Unused = None
    save_images: Unused = None
    comments: Unused = None
    force_task_id: Unused = None


class A1111TextToImage(A1111Picture):
    """A picture of a prompt."""

    enable_hr: Off = None
    firstpass_image: NoText = None

    denoising_strength: Unused = None
    firstphase_width: Unused = None
    firstphase_height: Unused = None
    hr_scale: Unused = None
    hr_upscaler: Unused = None
    hr_second_pass_steps: Unused = None
    hr_resize_x: Unused = None
    hr_resize_y: Unused = None
    hr_checkpoint_name: Unused = None
    hr_sampler_name: Unused = None
    hr_scheduler: Unused = None
    hr_prompt: Unused = None
    hr_negative_prompt: Unused = None
    hr_additional_modules: Unused = None


class A1111ImageToImage(A1111Picture):
    """A photo, redrawn. Without width and height it keeps its shape at about the trained area."""

    init_images: list[str] = Field(min_length=1, max_length=1, description="the photo's file in base64")
    denoising_strength: float | None = Field(None, gt=0, le=1)
    resize_mode: Annotated[int | None, _only(0, 1)] = Field(None, description="0 stretches the photo, 1 crops it")
    include_init_images: bool | None = Field(None, description="whether parameters repeat the photo")

    mask: str | None = Field(None, description="a picture's file in base64; white may change, black stays")
    inpainting_mask_invert: int | bool | None = Field(None, description="1: black may change, white stays")
    mask_blur: float | None = Field(None, ge=0, le=MOST_BLUR, description="softens the mask's edge, px of the photo")
    mask_blur_x: float | None = Field(None, ge=0, le=MOST_BLUR, description="the same, without mask_blur")
    mask_blur_y: float | None = Field(None, ge=0, le=MOST_BLUR, description="the same as mask_blur_x")
    inpainting_fill: int | None = Field(
        None,
        ge=0,
        le=3,
        description="the masked part begins as 0 its surroundings, 1 the photo, 2 noise, 3 nothing",
    )
    inpaint_full_res: int | bool | None = Field(None, description="true: the masked part alone is drawn, and put back")
    inpaint_full_res_padding: int | None = Field(None, ge=0, le=MOST_PADDING, description="px around that part")
    mask_round: int | bool | None = Field(None, description="with a mask: true")
    latent_mask: NoText = None
    initial_noise_multiplier: One = None

    image_cfg_scale: Unused = None


class A1111Image(Strict):
    """A picture that is asked how it was made."""

    image: str = Field(description="its file in base64")


class A1111Options(Strict):
    """Options by their names."""

    model_config = ConfigDict(extra="allow")
