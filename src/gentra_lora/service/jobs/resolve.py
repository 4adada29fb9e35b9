"""A request as it came -> PictureRequests with every number said, or a refusal that names the field."""

import secrets
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Protocol

from PIL import Image
from transformers import CLIPTokenizer

from gentra_lora.base.sampler_names import DEFAULT
from gentra_lora.photos.captions import has_trigger, lost_words
from gentra_lora.photos.crops import Size
from gentra_lora.photos.notation import NotationError, emphasis, foreign_notation, read_tags
from gentra_lora.pictures.masks import fitted_mask
from gentra_lora.pictures.request import PictureRequest, fitted, size_of_photo
from gentra_lora.pictures.sampling_pipeline import GenerationError
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.revision import Defaults
from gentra_lora.service.jobs.schemas import LEAST_SIDE, LISTS, MAX_SEED, MOST_SCALE, SIDE_UNIT, TextToImage
from gentra_lora.service.settings import ServiceSettings

REGION_PHOTO = 4  # times a service's max_pixels: of a photo into which a region is put back


class Photo(Protocol):
    """What is redrawn: an RGB image and perhaps a mask of its size, with the sha256 of the files that they came in.

    The mask has been inverted and blurred as it says.
    """

    @property
    def image(self) -> Image.Image: ...

    @property
    def sha256(self) -> str: ...

    @property
    def mask(self) -> Image.Image | None: ...

    @property
    def mask_sha256(self) -> str | None: ...

    @property
    def mask_inverted(self) -> bool: ...

    @property
    def mask_blur(self) -> float: ...


def resolve(
    body: TextToImage, defaults: Defaults, settings: ServiceSettings, photo: Photo | None = None
) -> list[PictureRequest]:
    """Return what each picture of a request is to be.

    Args:
        defaults: the served revision's.
        photo: of an ImageToImage.

    Raises:
        ServiceError: 422, more than this service makes, fewer than one step, or a mask that lets nothing change.
    """
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    wanted: dict[str, Any] = {"sampler": DEFAULT, **defaults, **given}
    wanted["width"], wanted["height"] = _size(given, defaults, settings, photo)
    count = wanted.pop("num_images")
    if count > settings.max_images:
        raise refusal("num_images", f"is {count}; this service makes at most {settings.max_images} at once")
    seed = wanted.pop("seed", None)
    seed = secrets.randbelow(2**32) if seed is None else seed
    if seed + count - 1 > MAX_SEED:
        raise refusal("seed", f"is {seed}, and the last of {count} pictures would have one above {MAX_SEED}")
    cells = _cells(wanted, given, settings, photo is not None)
    if photo is not None:
        wanted |= _parts(photo, (wanted["width"], wanted["height"]), "mask_padding" in given)
        if "mask_padding" in given:
            _check_region(photo.image.size, len(cells) * count, settings)
    try:
        return [PictureRequest(seed=seed + index, **wanted | cell) for cell in cells for index in range(count)]
    except GenerationError as error:
        field, _, told = str(error).partition(": ")
        raise refusal(f"{field}s" if f"{field}s" in given else field, told) from error


def _parts(photo: Photo, size: Size, whole: bool) -> dict[str, Any]:
    """Return what requests hold of a photo: scaled, as it needs the less memory, unless a region of it is put back."""
    wanted: dict[str, Any] = {"photo": photo.image if whole else fitted(photo.image, *size)}
    wanted["photo_sha256"] = photo.sha256
    if photo.mask is not None:
        wanted["mask"] = photo.mask if whole else fitted_mask(photo.mask, size)
        wanted |= {name: getattr(photo, name) for name in ("mask_sha256", "mask_inverted", "mask_blur")}
    return wanted


def _check_region(size: Size, pictures: int, settings: ServiceSettings) -> None:
    """Refuse photos that would stay in memory at their size, and pictures as large as they, where that is too much.

    Raises:
        ServiceError: 422.
    """
    width, height = size
    most = REGION_PHOTO * settings.max_pixels
    told = f"puts what is drawn back into the photo of {width} x {height}"
    if width * height > most:
        raise refusal("mask_padding", f"{told}; that may have at most {most} pixels: scale it down, or leave this out")
    if width * height * pictures > settings.max_sweep * settings.max_pixels:
        raise refusal("mask_padding", f"{told}, in {pictures} pictures; ask for fewer at once")


def _cells(
    wanted: dict[str, Any], given: Mapping[str, Any], settings: ServiceSettings, has_photo: bool
) -> list[dict[str, float]]:
    """Return what differs between the cells of a sweep, row by row; takes it out of `wanted`. One cell is no sweep.

    Raises:
        ServiceError: 422, a list beside its one value, or more pictures than this service makes of a sweep.
    """
    axes: dict[str, list[float]] = {}
    for lists in LISTS:
        one = lists.removesuffix("s")
        values = wanted.pop(lists, None)
        if values is not None and one in given:
            raise refusal(lists, f"stands beside {one} {given[one]:g}; give one of the two")
        value = wanted.pop(one, None)
        if one == "lora_scale" or has_photo:
            axes[one] = [value] if values is None else values
    cells = [dict(zip(axes, cell, strict=True)) for cell in product(*axes.values())]
    pictures = len(cells) * given["num_images"]
    if len(cells) > 1 and pictures > settings.max_sweep:
        named = next(lists for lists in LISTS if lists in given)
        raise refusal(
            named, f"makes it {pictures} pictures; this service makes at most {settings.max_sweep} in a sweep"
        )
    return cells


def _size(
    given: Mapping[str, Any], defaults: Defaults, settings: ServiceSettings, photo: Photo | None
) -> tuple[int, int]:
    if photo is not None and "mask_padding" not in given and not {"width", "height"} <= given.keys():
        if "width" in given or "height" in given:
            raise refusal("height" if "width" in given else "width", "is missing; give both sides or none")
        sides = size_of_photo(photo.image.size, min(defaults["width"] * defaults["height"], settings.max_pixels))
        largest = settings.max_side // SIDE_UNIT * SIDE_UNIT
        width, height = (min(max(side, LEAST_SIDE), largest) for side in sides)
        return width, height
    width, height = given.get("width", defaults["width"]), given.get("height", defaults["height"])
    for name, side in (("width", width), ("height", height)):
        if side > settings.max_side:
            raise refusal(name, f"is {side}; this service makes at most {settings.max_side} px")
    if width * height > settings.max_pixels:
        raise refusal(
            "width", f"and height are {width} x {height}; this service makes at most {settings.max_pixels} pixels"
        )
    return width, height


def followed(body: TextToImage, *adapter: str) -> TextToImage:
    """Return a request whose prompt has no tag of the adapter of those names: what that says is its lora_scale.

    Raises:
        ServiceError: 422, other notation, or a strength that the field contradicts.
    """
    foreign = foreign_notation(body.negative_prompt)
    if foreign:
        raise refusal("negative_prompt", foreign)
    try:
        prompt = read_tags(body.prompt, *adapter)
    except NotationError as error:
        raise refusal("prompt", str(error)) from error
    try:
        scale = prompt.scale_beside(body.lora_scale)
    except NotationError as error:
        raise refusal("lora_scale", str(error)) from error
    if scale is not None and not 0 <= scale <= MOST_SCALE:
        raise refusal("prompt", f"has a tag with strength {scale:g}; from 0 to {MOST_SCALE:g} is possible")
    return body.model_copy(update={"prompt": prompt.text, "lora_scale": scale})


def check_texts(body: TextToImage, tokenizer: CLIPTokenizer) -> None:
    """Refuse texts whose end the text encoder would not see.

    Raises:
        ServiceError: 422, with the words that would be lost.
    """
    for name in ("prompt", "negative_prompt"):
        lost = lost_words(getattr(body, name), tokenizer)
        if lost:
            limit, lost = tokenizer.model_max_length - 2, lost.replace("</w>", " ")
            end = lost if len(lost) <= 60 else f"{lost[:60]}..."
            raise refusal(name, f"has more than {limit} tokens: {end.strip()!r} would not be seen; shorten it")


def warnings_of(requests: Sequence[PictureRequest], trigger_word: str) -> list[str]:
    """Return what a client should know of pictures of one prompt that are as they may be."""
    warnings, request = [], requests[0]
    if trigger_word and any(one.lora_scale for one in requests) and not has_trigger(request.prompt, trigger_word):
        warnings.append(f"the prompt lacks the trigger word {trigger_word!r}; the subject may not appear")
    stressed = emphasis(request.prompt) or emphasis(request.negative_prompt)
    if stressed:
        warnings.append(stressed)
    return warnings


def refusal(field: str, message: str) -> ServiceError:
    """Return the 422 of one field."""
    return ServiceError(
        422, "invalid_request", f"{field} {message}", param=field, details=[{"field": field, "message": message}]
    )
