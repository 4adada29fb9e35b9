"""Clients that others' programs write from /openapi.json."""

import importlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def generated(served, tmp_path_factory):
    """A function that imports a module of the client that openapi-python-client writes."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(served.get("/openapi.json").content)
    (folder / "config.yml").write_text("post_hooks: []\n")
    program = Path(sys.executable).parent / "openapi-python-client"
    words = ["generate", "--path", "openapi.json", "--config", "config.yml", "--meta", "none"]
    done = subprocess.run([str(program), *words, "--output-path", "gentra_client"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"gentra_client.{name}")
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def client(generated, served):
    """A client as its documentation shows it."""
    with generated("client").Client(base_url=served.url, timeout=None) as found:
        yield found


def test_python_clients_default_calls_make_a_picture_each(served, generated, client):
    models = generated("models")
    body = models.TextToImage(prompt="a gentra", seed=3)
    found = generated("api.pictures.pictures_txt2img_json").sync(client=client, body=body)
    assert [picture.seed for picture in found.images] == [3]
    png = generated("api.pictures.pictures_txt2img_png").sync_detailed(client=client, body=body)
    assert np.array_equal(pixels(png.content), pixels(served.draw(seed=3).content))

    body = models.OpenAIImage(prompt="a gentra", n=2)
    assert len(generated("api.openai.openai_generate").sync(client=client, body=body).data) == 2


def test_python_client_sends_a_photo(generated, client):
    models, types = generated("models"), generated("types")
    for module, model in (("pictures.pictures_img2img_json", "ImageToImage"), ("openai.openai_edit", "OpenAIEdit")):
        image = types.File(payload=io.BytesIO(photo()), file_name="photo.png")
        body = getattr(models, model)(prompt="a gentra", image=image)
        assert generated(f"api.{module}").sync(client=client, body=body).to_dict()


def test_python_client_reads_a_refusal(generated, client):
    body = generated("models").TextToImage(prompt="a gentra", num_images=2)
    answer = generated("api.pictures.pictures_txt2img_png").sync_detailed(client=client, body=body)
    assert (answer.status_code, answer.parsed.error.param) == (422, "num_images")
