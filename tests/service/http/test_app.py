import pytest
from starlette.testclient import TestClient

from gentra_lora.service.errors import without_paths
from gentra_lora.service.http.app import create_app
from tests.serving import settings_for


def paths(app):
    return set(app.openapi()["paths"])


def test_replicas_that_share_no_jobs_have_no_routes_for_them(serving_repo):
    settings = settings_for(serving_repo)
    alone = paths(create_app(settings))
    replica = paths(create_app(settings, parts=("pictures",)))
    words = ("jobs", "admin", "progress", "interrupt")
    assert {path for path in alone - replica if any(word in path for word in words)} == alone - replica != set()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_is_there_that_loads_from_other_hosts(served, path):
    assert served.get(path).status_code == 404


def test_other_methods_are_405_with_those_that_are_allowed(served):
    answer = served.get("/v1/txt2img")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_fault_in_a_route_is_a_500_without_its_text(serving_repo):
    app = create_app(settings_for(serving_repo))

    @app.get("/fault")
    async def fault():
        raise RuntimeError("/root/secret")

    answer = TestClient(app, base_url="http://localhost").get("/fault")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert answer.json()["error"]["code"] == "failed"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/home/a/models/x.safetensors: is cut", "x.safetensors: is cut"),
        ("'/srv/repo/weights/first': gone", "'first': gone"),
        ("../a/b.txt and ~/c/d", "b.txt and d"),
        ("gdrive://1abc/files/md5: no", "gdrive://1abc/files/md5: no"),
        ("https://github.com/o/r at main", "https://github.com/o/r at main"),
        ("strength 1/2 is 0.5", "strength 1/2 is 0.5"),
        ("owner/name is neither", "owner/name is neither"),
    ],
)
def test_paths_in_messages_are_cut_to_names_and_addresses_are_not(text, told):
    assert without_paths(text) == told
