import threading
from contextlib import suppress

import pytest
import requests

from gentra_lora.service.http.guesses import FREE, LONGEST
from gentra_lora.service.jobs.revision import RevisionError
from tests.serving import TOKEN, running, settings_for
from tests.waiting import PATIENCE


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}]
)
def test_reload_without_the_token_is_401(served, headers):
    answer = served.post("/v1/admin/reload", json={}, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_of_the_token_is_read_in_any_case(served, scheme):
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    assert served.post("/v1/admin/reload", json={}, headers=headers).status_code == 200


def test_guesses_of_the_token_have_to_wait_and_are_logged(serving_repo, tmp_path, caplog):
    with running(settings_for(serving_repo, weights_dir=tmp_path, admin_token=TOKEN)) as served:
        answers = [served.reload("first", token=f"guess {n}") for n in range(50)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:FREE] == [401] * FREE
        assert statuses.count(401) < FREE + 5
        last = answers[-1]
        assert (last.status_code, last.json()["error"]["code"]) == (429, "too_many_wrong_keys")
        assert 1 <= int(last.headers["Retry-After"]) <= LONGEST
        assert served.reload("first").status_code == 429  # or guesses could go on
    assert "wrong admin token" in caplog.text


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
    settings = settings_for(serving_repo, weights_dir=tmp_path, api_keys="one", admin_token=TOKEN)
    with running(settings) as served:
        assert served.reload("first", token="one").status_code == 401
        assert served.reload("first").status_code == 200


def test_reload_that_hangs_does_not_hold_up_the_end(serving_repo, tmp_path, monkeypatch):
    begun, hang = threading.Event(), threading.Event()

    def find(*_):
        begun.set()
        assert hang.wait(PATIENCE)
        raise RevisionError("too late")

    settings = settings_for(serving_repo, weights_dir=tmp_path, admin_token=TOKEN, drain_seconds=0)
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
