import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gentra_lora.service.http.app import create_app
from gentra_lora.service.http.openapi import BODIES
from tests.serving import TOKEN, running, settings_for

KINDS = {"png": ["image/png"], "json": ["application/json"]}


@pytest.fixture(scope="module")
def document(serving_repo):
    return create_app(settings_for(serving_repo, max_side=512, max_images=2)).openapi()


def test_bodies_that_we_read_ourselves_are_described_with_examples(document):
    for schema in BODIES:
        assert schema.__name__ in document["components"]["schemas"]
    assert document["components"]["schemas"]["TextToImage"]["properties"]["prompt"]["examples"]


def test_photo_is_described_as_a_file_that_must_be_there(document):
    form = document["components"]["schemas"]["ImageToImage"]
    assert form["properties"]["image"]["format"] == "binary"
    assert "image" in form["required"]
    content = document["paths"]["/v1/img2img/png"]["post"]["requestBody"]["content"]
    assert content == {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/ImageToImage"}}}


def test_limits_are_those_of_this_service(document):
    fields = document["components"]["schemas"]["TextToImage"]["properties"]
    assert fields["width"]["anyOf"][0]["maximum"] == 512
    assert fields["num_images"]["maximum"] == 2


def test_every_reference_leads_somewhere(document):
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_every_refusal_is_described_as_json_in_one_shape(document):
    for path, methods in document["paths"].items():
        name = "A1111Error" if path.startswith("/sdapi/") else "ErrorBody"
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    schema = {"$ref": f"#/components/schemas/{name}"}
                    assert answer["content"] == {"application/json": {"schema": schema}}, operation["operationId"]


def test_each_kind_of_answer_has_a_route_of_its_own(document):
    for path in ("/v1/txt2img", "/v1/img2img"):
        found = {kind: document["paths"][f"{path}/{kind}"]["post"]["responses"]["200"]["content"] for kind in KINDS}
        assert {kind: [*content] for kind, content in found.items()} == KINDS
        assert path not in document["paths"]  # it answers with either
    for path in ("/v1/images/generations", "/v1/images/edits"):  # what is first is taken for the usual one
        content = document["paths"][path]["post"]["responses"]["200"]["content"]
        assert [*content] == ["application/json", "text/event-stream"]


def test_routes_of_one_kind_answer_with_it_whatever_is_accepted(served):
    for accept in ("*/*", "application/json", "image/png"):
        for kind, (media_type,) in KINDS.items():
            answer = served.post(f"/v1/txt2img/{kind}", json={"prompt": "a gentra"}, headers={"Accept": accept})
            assert answer.headers["content-type"] == media_type
    answer = served.post("/v1/txt2img/png", json={"prompt": "a gentra", "num_images": 2})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "num_images")


def test_events_are_described_as_a_stream_of_them(document):
    for path, method in (("/v1/jobs/{job_id}/events", "get"), ("/v1/images/generations", "post")):
        content = document["paths"][path][method]["responses"]["200"]["content"]
        assert content["text/event-stream"]["itemSchema"]["properties"].keys() >= {"event", "data"}


def fuzz(served, examples, folder):
    """Run schemathesis against a service, from a folder where it may leave files.

    Returns (its exit status, the number of cases, what it printed).
    """
    program = Path(sys.executable).parent / "schemathesis"
    words = ["run", f"{served.url}/openapi.json", "--checks", "all", "--max-examples", str(examples), "--no-color"]
    # Prompts have a limit in tokens and pictures one in pixels, which a schema cannot say; a job that was cancelled can
    # still be looked at.
    words += ["--exclude-checks", "positive_data_acceptance,use_after_free", "--generation-database", "none"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(Path(__file__).parent)}
    environment["PYTHONWARNINGS"] = "ignore"
    done = subprocess.run([str(program), *words], cwd=folder, env=environment, capture_output=True, text=True)
    cases = re.search(r"(\d+) generated", done.stdout)
    return done.returncode, int(cases[1]) if cases else 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def narrow(serving_repo, tmp_path_factory):
    """A service whose pictures are small."""
    more = {
        "max_side": 64,
        "max_images": 1,
        "admin_token": TOKEN,
        "time_limit": 60,
    }  # a hundred steps beside other work
    with running(settings_for(serving_repo, weights_dir=tmp_path_factory.mktemp("narrow"), **more)) as found:
        yield found


@pytest.mark.load
def test_nothing_that_schemathesis_sends_is_a_fault_or_answered_otherwise_than_documented(narrow, tmp_path):
    status, cases, told = fuzz(narrow, 100, tmp_path)
    print(told[-400:])
    assert status == 0, told[-6000:]
    assert cases >= 2000
