"""OpenAI's own client, and what it is answered."""

import base64
import io
import warnings

from PIL import Image

from tests.waiting import PATIENCE

with warnings.catch_warnings():  # what the library says of itself is none of ours
    warnings.simplefilter("ignore")
    from openai import OpenAI


def client_of(url, key="any"):
    """Return a client that tries once; the caller closes it."""
    return OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=PATIENCE)


def opened(b64_json):
    """Return the picture of a text in base64."""
    return Image.open(io.BytesIO(base64.b64decode(b64_json)))
