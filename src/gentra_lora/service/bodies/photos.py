"""A photo with what is to become of it: in a form, or in JSON as base64."""

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.forms import form_of, from_texts
from gentra_lora.service.bodies.kinds import FORM, JSON, kind_of
from gentra_lora.service.bodies.objects import read_photo_json
from gentra_lora.service.bodies.uploads import Upload, read_base64, read_upload
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import LISTS, ImageToImage, ImageToImageJson
from gentra_lora.service.settings import ServiceSettings

FILES = {"image": "photo", "mask": "mask"}  # the fields of a form that are files
MOST_FILES = 8  # of a form; as many are told apart, and named where there is one too many


async def read_img2img(request: Request, settings: ServiceSettings, decoders: Decoders) -> tuple[ImageToImage, Upload]:
    """Return what a form, or JSON, with a photo named `image` holds.

    Raises:
        ServiceError: see `read_form` and `read_photo_json`.
    """
    if kind_of(request) == FORM:
        return await read_form(request, settings, decoders)
    if kind_of(request) != JSON:
        raise ServiceError(415, "unsupported_media_type", f"the body must be {FORM} with a file named image, or {JSON}")
    body = await read_photo_json(request, ImageToImageJson, settings, decoders)
    return await opened_of(request, body, settings, decoders)


async def opened_of(
    request: Request, body: ImageToImageJson, settings: ServiceSettings, decoders: Decoders
) -> tuple[ImageToImage, Upload]:
    """Return what JSON with a photo in base64 holds.

    Raises:
        ServiceError: see uploads.read_base64.
    """
    given = body.image, settings.max_photo_pixels, body.mask
    photo = await decoders.run(request.state.holder, read_base64, *given)
    return ImageToImage(**body.model_dump(exclude=set(FILES))), photo


async def read_form(request: Request, settings: ServiceSettings, decoders: Decoders) -> tuple[ImageToImage, Upload]:
    """Return what a form with a file named `image`, and perhaps one named `mask`, holds.

    Raises:
        ServiceError: see `form_of` and uploads.read_upload.
    """
    form = await form_of(request, settings, MOST_FILES)
    try:
        values, files = _parts(form)
        body = from_texts(values, ImageToImage)
        photo, mask = await files["image"].read(), await files["mask"].read() if "mask" in files else None
        holder, most = request.state.holder, settings.max_photo_pixels
        return body, await decoders.run(holder, read_upload, photo, most, mask)
    finally:
        await form.close()


def _parts(form: FormData) -> tuple[dict[str, str], dict[str, UploadFile]]:
    """Return ({field: text}, {field: file}); the file `image` is there."""
    values: dict[str, str] = {}
    files: dict[str, UploadFile] = {}
    for name, value in form.multi_items():
        if name in files and isinstance(value, UploadFile):
            raise refusal(name, f"holds two files; send one {FILES[name]}")
        if name in values and name in LISTS and isinstance(value, str):
            values[name] += f",{value}"
            continue
        if name in values or name in files:
            raise refusal(name, "is there twice; send it once")
        if isinstance(value, UploadFile):
            if name not in FILES:
                raise refusal(name, f"is a file; only {' and '.join(FILES)} are")
            files[name] = value
        elif name in FILES:
            raise refusal(name, f"is a text; send the {FILES[name]} as a file")
        else:
            values[name] = value
    if "image" not in files:
        alone = ", and a mask alone draws nothing" if "mask" in files else ""
        raise refusal("image", f"is missing{alone}; send the photo as a file of that name")
    return values, files
