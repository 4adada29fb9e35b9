from importlib.metadata import version

import pytest

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.service.http.app import create_app
from gentra_lora.service.http.routes_status import limits
from tests.serving import settings_for


def test_model_tells_what_serves(served):
    told, revision = served.get("/v1/model").json(), served.service.life.revision
    assert told["revision"] == {"rev": "first", "commit": revision.commit, "repo": "project", "trained_at": None}
    assert told["file"] == revision.file
    assert told["metrics"] == {"val_loss": 0.01}
    assert told["trigger_word"] == "gentra"
    assert told["base"].startswith("tiny-sd@sha256:")
    assert told["base_matches"] is True
    assert (told["device"], told["precision"]) == ("cpu", "float32")
    assert [sampler["name"] for sampler in told["samplers"]] == list(SAMPLERS)
    assert told["version"] == version("sport-gentra-lora")


def test_told_limits_are_those_of_the_settings_and_the_schema(serving_repo):
    told = limits(settings_for(serving_repo, max_side=512, max_images=2))
    assert (told["max_side"], told["max_images"], told["max_steps"]) == (512, 2, 100)
    assert (told["max_lora_scale"], told["max_guidance_scale"], told["min_side"]) == (2.0, 30.0, 64)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler_that_is_told_makes_a_picture(served, sampler):
    assert served.draw(sampler=sampler).status_code == 200


def test_page_is_served_with_its_files(served):
    page = served.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert served.get("/page/page.css").headers["content-type"].startswith("text/css")
    assert "javascript" in served.get("/page/page.js").headers["content-type"]


def test_nothing_outside_the_pages_folder_is_served(served):
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd"):
        assert served.get(path).status_code == 404


def test_health_is_answered_before_anything_is_loaded(serving_repo):
    from starlette.testclient import TestClient

    client = TestClient(
        create_app(settings_for(serving_repo)), base_url="http://localhost"
    )  # not entered: nothing has started
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").status_code == 503
