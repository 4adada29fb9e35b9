"""The form of an edit: OpenAI's fields as texts, and a photo."""

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from gentra_lora.service.http.bodies import form_of, from_texts
from gentra_lora.service.http.decoders import Decoders
from gentra_lora.service.http.uploads import Upload, read_upload
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.openai.wishes import OpenAIEdit
from gentra_lora.service.settings import ServiceSettings

PHOTOS = ("image", "image[]")  # the second is how clients name those of a list
MOST_FILES = 18  # 16 photos, a mask and a markup: as many as OpenAI takes, so that it is said in words what is not
UNUSED = {
    "mask": "is not taken; the whole photo is redrawn, and a low strength keeps most of it: leave the mask out",
    "markup": "is not taken; say in the prompt what to draw, and leave it out",
}


async def read_edit(request: Request, settings: ServiceSettings, decoders: Decoders) -> tuple[OpenAIEdit, Upload]:
    """Return what an edit's form holds.

    Raises:
        ServiceError: see bodies.form_of and uploads.read_upload; 422, several photos, or a file that is not used.
    """
    form = await form_of(request, settings, MOST_FILES)
    try:
        values, photo = _parts(form)
        asked = from_texts(values, OpenAIEdit)
        content, holder = await photo.read(), request.state.holder
        return asked, await decoders.run(holder, read_upload, content, settings.max_photo_pixels)
    finally:
        await form.close()


def _parts(form: FormData) -> tuple[dict[str, str], UploadFile]:
    """Return ({field: text}, the photo)."""
    values: dict[str, str] = {}
    photos: list[UploadFile] = []
    for name, value in form.multi_items():
        if name in UNUSED:
            raise refusal(name, UNUSED[name])
        if name in PHOTOS and isinstance(value, UploadFile):
            photos.append(value)
        elif name in PHOTOS:
            raise refusal("image", "is a text; send the photo as a file")
        elif isinstance(value, UploadFile):
            raise refusal(name, "is a file; only image is one")
        elif name in values:
            raise refusal(name, "is there twice; send it once")
        else:
            values[name] = value
    if len(photos) != 1:
        told = f"holds {len(photos)} photos; one is redrawn at a time" if photos else "is missing; send a photo"
        raise refusal("image", told)
    return values, photos[0]
