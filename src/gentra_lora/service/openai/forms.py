"""The form of an edit: OpenAI's fields as texts, a photo, and perhaps a mask."""

from io import BytesIO

from PIL import Image
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from gentra_lora.pictures.masks import fitted_mask, holes_of, open_holes
from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.forms import form_of, from_texts
from gentra_lora.service.bodies.uploads import Upload, opened, read_upload, with_mask
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.openai.wishes import OpenAIEdit
from gentra_lora.service.settings import ServiceSettings

PHOTOS = ("image", "image[]")  # the second is how clients name those of a list
MOST_FILES = 18  # 16 photos, a mask and a markup: as many as OpenAI takes, so that it is said in words what is not
NO_HOLES = "has no transparent part, which is what may change; erase what is to be drawn, or leave the mask out"


async def read_edit(request: Request, settings: ServiceSettings, decoders: Decoders) -> tuple[OpenAIEdit, Upload]:
    """Return what an edit's form holds.

    Raises:
        ServiceError: see bodies.form_of and `photo_of`; 422, several photos, or a file that is not used.
    """
    form = await form_of(request, settings, MOST_FILES)
    try:
        values, photo, mask = _parts(form)
        asked = from_texts(values, OpenAIEdit)
        given = await photo.read(), settings.max_photo_pixels, await mask.read() if mask else None
        return asked, await decoders.run(request.state.holder, photo_of, *given)
    finally:
        await form.close()


def photo_of(content: bytes, max_pixels: int, mask: bytes | None) -> Upload:
    """Return the photo of a file's bytes; what is transparent of the mask, or of itself without one, may change.

    Raises:
        ServiceError: see uploads.read_upload; 422, a mask without a transparent part.
    """
    photo = read_upload(content, max_pixels)
    if mask is None:
        own = holes_of(BytesIO(content))
        return with_mask(photo, own) if own and _lets_something_change(own) else photo
    holes = opened(mask, max_pixels, "mask", open_holes)
    photo = with_mask(photo, holes)
    if not _lets_something_change(holes):
        raise refusal("mask", NO_HOLES)
    return photo


def _lets_something_change(mask: Image.Image) -> bool:
    return fitted_mask(mask, mask.size).getbbox() is not None


def _parts(form: FormData) -> tuple[dict[str, str], UploadFile, UploadFile | None]:
    """Return ({field: text}, the photo, the mask)."""
    values: dict[str, str] = {}
    photos: list[UploadFile] = []
    masks: list[UploadFile] = []
    for name, value in form.multi_items():
        if name == "markup":
            raise refusal(name, "is not taken; say in the prompt what to draw, and leave it out")
        if name == "mask" or name in PHOTOS:
            if not isinstance(value, UploadFile):
                what = "mask" if name == "mask" else "photo"
                raise refusal(name.removesuffix("[]"), f"is a text; send the {what} as a file")
            (masks if name == "mask" else photos).append(value)
        elif isinstance(value, UploadFile):
            raise refusal(name, "is a file; only image and mask are")
        elif name in values:
            raise refusal(name, "is there twice; send it once")
        else:
            values[name] = value
    if len(photos) != 1:
        told = f"holds {len(photos)} photos; one is redrawn at a time" if photos else "is missing; send a photo"
        raise refusal("image", told)
    if len(masks) > 1:
        raise refusal("mask", "holds several files; send one mask")
    return values, photos[0], masks[0] if masks else None
