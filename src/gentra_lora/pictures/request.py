"""What one picture is to be: every number that shapes it, resolved."""

import math
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageOps

from gentra_lora.base.sampler_names import DEFAULT
from gentra_lora.photos.crops import Size
from gentra_lora.pictures.limits import SCHEDULE_STEPS, MaskContent
from gentra_lora.pictures.masks import fitted_mask
from gentra_lora.pictures.regions import Region, filled, framed, region_of
from gentra_lora.pictures.sampling_pipeline import GenerationError


@dataclass(frozen=True)
class PictureRequest:
    """A picture of a prompt, or of a photo redrawn where `photo` is an RGB image."""

    prompt: str
    seed: int
    num_inference_steps: int
    guidance_scale: float  # at most 1: no guidance, the negative prompt is unused
    width: int  # px, as height
    height: int
    negative_prompt: str = ""
    lora_scale: float = 1.0  # 0 is the base itself, 1 as trained
    sampler: str = DEFAULT  # a key of SAMPLERS
    strength: float | None = None  # in (0, 1], the share of the steps that are redone; None without a photo
    photo: Image.Image | None = None
    photo_sha256: str | None = None  # of the file's bytes
    mask: Image.Image | None = None  # mode L, of the photo's size: white may change, black stays
    mask_sha256: str | None = None  # of the file's bytes
    mask_inverted: bool = False  # what has been done to the file's: see regions.edited
    mask_blur: float = 0.0
    mask_content: MaskContent = "original"  # what the white part begins as; noise and nothing are latents
    mask_padding: int | None = None  # px around the white part; with it, what lies within is drawn and put back

    def __post_init__(self) -> None:
        if self.strength is not None and steps_of(self.num_inference_steps, self.strength) < 1:
            least = math.ceil(1000 / self.num_inference_steps) / 1000
            raise GenerationError(
                f"strength: {self.strength:g} of {self.num_inference_steps} steps is less than one step; at least "
                f"{least:g} is needed, or more steps"
            )
        if self.mask is not None:
            self._check_mask(self.mask)
        elif self.mask_padding is not None or self.mask_content != "original":
            name = "mask_content" if self.mask_padding is None else "mask_padding"
            if self.mask_sha256 is None:  # a job that is done has given its mask away
                raise GenerationError(f"{name}: is of a mask, and there is none; give one, or leave it out")

    def _check_mask(self, mask: Image.Image) -> None:
        if self.photo is None:
            raise GenerationError("mask: says what may change of a photo, and there is none; give one")
        if mask.size != self.photo.size:
            sizes = [f"{width} x {height}" for width, height in (mask.size, self.photo.size)]
            raise GenerationError(f"mask: is {sizes[0]} px, and the photo {sizes[1]}; make it of the photo's size")
        drawn = self.drawn_mask
        if drawn is None or not drawn.getbbox():
            what = "of the part that is drawn" if mask.getbbox() else "of it: all is black"
            raise GenerationError(f"mask: keeps every pixel {what}; paint white what may change")

    @property
    def size(self) -> Size:
        """(width, height) in px."""
        return self.width, self.height

    @cached_property
    def region(self) -> Region | None:
        """The part of the photo that is drawn and put back; None where all of it is the picture."""
        if self.mask is None or self.mask_padding is None:
            return None
        return region_of(fitted_mask(self.mask, self.mask.size), self.mask_padding, self.size)

    @cached_property
    def drawn_mask(self) -> Image.Image | None:
        """The mask at the size that is drawn."""
        if self.mask is None or self.region is None:
            return self.mask and fitted_mask(self.mask, self.size)
        return fitted_mask(framed(self.mask, self.region, self.size, Image.Resampling.BOX), self.size)

    @property
    def drawn_photo(self) -> Image.Image | None:
        """The photo at the size that is drawn, as the denoiser begins with it."""
        if self.photo is None:
            return None
        if self.region is None:
            photo = fitted(self.photo, *self.size)
        else:
            photo = framed(self.photo, self.region, self.size, Image.Resampling.LANCZOS)
        return filled(photo, self.drawn_mask) if self.drawn_mask and self.mask_content == "fill" else photo

    @property
    def picture_size(self) -> Size:
        """(width, height) of the picture in px: the photo's where a region of it is put back."""
        return self.size if self.photo is None or self.mask_padding is None else self.photo.size

    @property
    def guided(self) -> bool:
        """Whether each step asks the denoiser twice, with and without the prompt (Ho & Salimans 2022, 2207.12598)."""
        return self.guidance_scale > 1

    @property
    def steps_run(self) -> int:
        """How many steps are taken: a photo skips the first ones."""
        return self.num_inference_steps if self.strength is None else steps_of(self.num_inference_steps, self.strength)

    @property
    def batch_key(self) -> tuple[int, int, int, str, bool, float | None]:
        """What pictures must share to be denoised side by side."""
        return self.width, self.height, self.num_inference_steps, self.sampler, self.guided, self.strength


def steps_of(num_inference_steps: int, strength: float) -> int:
    """Return how many of the steps a strength redoes; 0.29 of 100 are 29, though the product in floats is below."""
    return min(num_inference_steps, math.floor(num_inference_steps * strength + 1e-6))


def steps_of_schedule(wanted: int, strength: float) -> int:
    """Return the number of steps of which a strength redoes as many as are wanted.

    Raises:
        GenerationError: more than the noise schedule has.
    """
    steps = math.ceil(wanted / strength)
    if steps > SCHEDULE_STEPS:
        raise GenerationError(
            f"strength {strength:g} with {wanted} steps needs a schedule of {steps} steps, and there are "
            f"{SCHEDULE_STEPS}; raise the strength or lower the steps"
        )
    return steps


def size_of_photo(size: Size, area: float, unit: int = 8) -> Size:
    """Return a size of a photo's shape with about `area` pixels, in whole units."""
    scale = math.sqrt(area / (size[0] * size[1]))
    width, height = (max(unit, round(side * scale / unit) * unit) for side in size)
    return width, height


def fitted(photo: Image.Image, width: int, height: int) -> Image.Image:
    """Return the photo scaled to a size, its centre where the shapes differ."""
    return ImageOps.fit(photo, (width, height), Image.Resampling.LANCZOS)
