import threading
from contextlib import suppress

import pytest
import requests

from gentra_lora.service.jobs.revision import RevisionError
from tests.serving import running, settings_for
from tests.waiting import PATIENCE


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"[:3]}])
def test_reload_without_the_token_is_401(served, headers):
    answer = served.post("/v1/admin/reload", json={}, headers=headers)
    assert answer.status_code == 401


def test_reload_of_nothing_looks_the_same_name_up_again(served):
    before = served.service.life.revision.commit
    answer = served.reload(None)
    assert answer.status_code == 200
    assert answer.json()["revision"]["commit"] == before


def test_unknown_revision_is_422_with_the_way_out(served):
    answer = served.reload("nowhere")
    assert answer.status_code == 422
    assert "nowhere" in answer.json()["error"]["message"]


def test_reload_is_off_without_a_token(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path)) as served:
        answer = served.reload("first", token="")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "no_admin"


def test_api_key_does_not_open_the_admin_route(serving_repo, tmp_path):
    settings = settings_for(serving_repo, weights_dir=tmp_path, api_keys="one", admin_token="secret")
    with running(settings) as served:
        assert served.reload("first", token="one").status_code == 401
        assert served.reload("first").status_code == 200


def test_reload_that_hangs_does_not_hold_up_the_end(serving_repo, tmp_path, monkeypatch):
    begun, hang = threading.Event(), threading.Event()

    def find(*_):
        begun.set()
        assert hang.wait(PATIENCE)
        raise RevisionError("too late")

    settings = settings_for(serving_repo, weights_dir=tmp_path, admin_token="secret", drain_seconds=0)
    with running(settings, seconds_to_answer=1) as served:
        monkeypatch.setattr("gentra_lora.service.jobs.lifecycle.find_revision", find)
        asking = threading.Thread(target=suppressed, args=(served.reload, "second"))
        asking.start()
        assert begun.wait(PATIENCE)
        served.service.drain()
    hang.set()  # the server has ended before
    asking.join()


def suppressed(call, *args):
    with suppress(requests.exceptions.RequestException):
        call(*args)
