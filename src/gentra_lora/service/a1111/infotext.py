"""A1111's text in a picture, read."""

import json
import re
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from gentra_lora.photos.photo import FORMATS
from gentra_lora.pictures.record import PARAMETERS
from gentra_lora.service.bodies.uploads import content_of
from gentra_lora.service.errors import ServiceError

# Bounded, so that a long text of no such kind takes no long time.
PAIR = re.compile(r'(\w[\w \-/]{0,60}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
LEAST_PAIRS = 3  # fewer are a sentence of the prompt
NEGATIVE = "Negative prompt:"


def text_of(image: str) -> dict[str, object]:
    """Return what a picture in base64 says of how it was made; its pixels are not decoded.

    Raises:
        ServiceError: 415, it is none; 422, no base64, or texts that are larger than is read.
    """
    try:
        with Image.open(BytesIO(content_of(image)), formats=FORMATS) as opened:
            texts = {name: value for name, value in opened.info.items() if isinstance(value, str)}
    except UnidentifiedImageError as error:
        raise ServiceError(415, "photo_refused", "image is no picture", param="image") from error
    except ServiceError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise anything
        message = "image is damaged, or holds a text that is too large"
        raise ServiceError(422, "photo_refused", message, param="image") from error
    info = texts.pop(PARAMETERS, "")
    return {"info": info, "items": texts, "parameters": values_of(info)}


def values_of(info: str) -> dict[str, str]:
    """Return the prompts and the values of A1111's text, by its names for them."""
    if not info.strip():
        return {}
    above, _, last = info.strip().rpartition("\n")
    pairs = PAIR.findall(last)
    if len(pairs) < LEAST_PAIRS:
        above, pairs = info.strip(), []
    prompt, _, negative_prompt = f"\n{above}".partition(f"\n{NEGATIVE}")
    values = {"Prompt": prompt.strip(), "Negative prompt": negative_prompt.strip()}
    values |= {name.strip(): _plain(value.strip()) for name, value in pairs}
    size = re.fullmatch(r"(\d+)x(\d+)", values.get("Size", ""))
    return values | {"Size-1": size[1], "Size-2": size[2]} if size else values


def _plain(value: str) -> str:
    """Return a value without the quotes that it has where it holds a comma or the like."""
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
