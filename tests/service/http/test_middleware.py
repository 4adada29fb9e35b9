import json
import logging
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from gentra_lora.service.http.guesses import FREE
from gentra_lora.service.http.middleware import JsonLines
from tests.service.http.test_routes_pictures import photo
from tests.service.openai.clients import client_of
from tests.serving import running, settings_for
from tests.waiting import PATIENCE, until


@pytest.fixture(scope="module")
def locked(serving_repo, tmp_path_factory):
    """A service with two keys, small limits and an origin that may call it."""
    more = {"api_keys": "one, two", "max_upload_bytes": 20_000, "cors_origins": "https://pages.example"}
    with running(settings_for(serving_repo, weights_dir=tmp_path_factory.mktemp("locked"), **more)) as found:
        yield found


def key(value="one"):
    return {"Authorization": f"Bearer {value}"}


@pytest.mark.parametrize("headers", [{}, key("three"), key(""), {"X-API-Key": "on"}, {"Authorization": "Basic one"}])
def test_request_without_a_right_key_is_401(locked, headers):
    for answer in (locked.draw(headers=headers), locked.get("/v1/model", headers=headers)):
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [key("one"), key("two"), {"X-API-Key": "two"}])
def test_each_key_opens(locked, headers):
    assert locked.draw(headers=headers).status_code == 200


def test_health_and_page_need_no_key_but_metrics_do(locked):
    for path in ("/healthz", "/readyz", "/", "/page/page.css", "/openapi.json"):
        assert locked.get(path).status_code == 200, path
    assert locked.get("/metrics").status_code == 401


def test_body_that_says_itself_to_be_too_large_is_413(locked):
    answer = locked.redraw(b"\0" * 30_000, headers=key())
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


def test_body_in_chunks_is_413_once_it_is_too_large_and_memory_stays_flat(locked):
    sent, process = 0, psutil.Process()
    before = process.memory_info().rss

    def chunks():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        while sent < 1_000_000_000:
            sent += 65536
            yield b"\0" * 65536

    headers = key() | {"Content-Type": "multipart/form-data; boundary=x"}
    with suppress(requests.exceptions.ConnectionError):  # closed in the middle of the sending
        assert locked.post("/v1/img2img", data=chunks(), headers=headers).status_code == 413
    assert sent < 100_000_000
    assert process.memory_info().rss - before < 50_000_000
    assert locked.draw(headers=key()).status_code == 200


def test_large_json_is_413(served):
    assert served.draw("a" * 300_000).status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999"])
def test_impossible_content_length_is_refused(served, length):
    place = urlsplit(served.url)
    with socket.create_connection((place.hostname, place.port), PATIENCE) as connection:
        connection.sendall(
            f"POST /v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n{{}}".encode()
        )
        assert connection.recv(1000).split()[1] in (b"400", b"413")


def test_post_from_a_page_of_another_origin_is_403(served):
    answer = served.redraw(photo(), headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert served.draw(headers={"Origin": served.url}).status_code == 200


@pytest.mark.parametrize("origin", ["http://[", "null", "", "javascript:1", "http://"])
def test_origin_that_is_none_is_foreign_and_no_fault(served, origin):
    assert served.draw(headers={"Origin": origin}).status_code == (403 if origin else 200)


def test_name_that_was_pointed_here_makes_no_page_one_of_ours(served):
    port = served.url.rpartition(":")[2]
    headers = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
    for answer in (served.draw(headers=headers), served.get("/v1/model", headers=headers)):
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "unknown_host"
    assert served.draw(headers={"Host": f"localhost:{port}"}).status_code == 200


def test_page_behind_a_proxy_is_ours_where_its_address_is_told(serving_repo, tmp_path):
    settings = settings_for(serving_repo, weights_dir=tmp_path, public_url="https://gentra.example/")
    with running(settings) as served:
        origin = {"Origin": "https://gentra.example"}
        assert served.draw(headers=origin).status_code == 200
        assert served.draw(headers=origin | {"Host": "gentra.example"}).status_code == 200
        assert served.draw(headers={"Host": "other.example"}).status_code == 403
        asked = {"prompt": "a gentra", "response_format": "url"}
        (picture,) = served.post("/v1/images/generations", json=asked).json()["data"]
        assert picture["url"].startswith("https://gentra.example/v1/images/")


def test_refusals_can_be_read_by_origins_that_may_ask(locked):
    answer = locked.draw(headers={"Origin": "https://pages.example"})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == "https://pages.example"
    assert "X-Seed" in answer.headers["access-control-expose-headers"]


def test_other_origins_are_told_nothing_by_default(served):
    answer = served.get("/v1/model", headers={"Origin": "https://pages.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_origin_that_was_allowed_may_ask(locked):
    headers = {"Origin": "https://pages.example"}
    assert locked.draw(headers=headers | key()).headers["access-control-allow-origin"] == "https://pages.example"
    assert locked.draw(headers={"Origin": "https://evil.example"} | key()).status_code == 403


def test_each_answer_has_an_id_of_its_own_which_an_error_repeats(served):
    one, other = served.get("/healthz"), served.get("/nothing")
    assert one.headers["x-request-id"] != other.headers["x-request-id"]
    assert other.json()["request_id"] == other.headers["x-request-id"]


def test_page_may_load_nothing_from_other_hosts(served):
    policy = served.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "http" not in policy


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def logged():
    logger, lines = logging.getLogger("gentra_lora.service"), Lines()
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    yield lines.lines
    logger.removeHandler(lines)


def test_log_is_json_with_the_requests_id_and_without_its_prompt(served, logged):
    answer = served.draw("a gentra on the moon")
    line = json.loads(logged[-1])
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["job"] == answer.headers["x-job-id"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/txt2img", 200)
    assert not any("moon" in line for line in logged)


def test_log_line_names_the_client_and_cuts_a_long_path(served, logged):
    served.get("/" + "a" * 5000)
    line = json.loads(logged[-1])
    assert line["client"] == "127.0.0.1"
    assert line["path"] == "/" + "a" * 199 + "..."


def test_nothing_in_a_log_line_moves_the_cursor_or_turns_the_text(served, logged):
    served.get("/%1b%5b2J%e2%80%aegnp.%c2%85%e2%80%a8x")
    assert json.loads(logged[-1])["path"] == "/\x1b[2J\u202egnp.\x85\u2028x"
    assert logged[-1].isprintable()


def test_forwarded_address_is_believed_of_a_trusted_proxy_alone(serving_repo, tmp_path, logged, served):
    headers = {"X-Forwarded-For": "192.0.2.7"}
    served.get("/healthz", headers=headers)
    assert json.loads(logged[-1])["client"] == "127.0.0.1"
    with running(settings_for(serving_repo, weights_dir=tmp_path, trusted_proxies="127.0.0.1")) as behind:
        behind.get("/healthz", headers=headers)
        assert json.loads(logged[-1])["client"] == "192.0.2.7"


def test_guesses_of_a_key_have_to_wait(serving_repo, tmp_path):
    with running(settings_for(serving_repo, weights_dir=tmp_path, api_keys="one")) as served:
        statuses = [served.get("/v1/model", headers=key(f"guess {n}")).status_code for n in range(30)]
        assert statuses[:FREE] == [401] * FREE
        assert statuses[-1] == 429
        assert served.get("/healthz").status_code == 200


def test_thousands_of_faults_are_told_in_a_short_answer(served):
    answer = served.draw(**{f"unknown{number}": 1 for number in range(5000)})
    assert answer.status_code == 422
    assert len(answer.content) < 4000
    assert answer.json()["error"]["details"][-1] == {"field": "body", "message": "has 4980 more faults"}


def test_prompts_are_logged_where_that_is_wished(served, logged, monkeypatch):
    monkeypatch.setattr(served.service.settings, "log_prompts", True)
    served.draw("a gentra on the moon")
    assert json.loads(logged[-1])["prompt"] == "a gentra on the moon"


def test_client_that_goes_away_is_logged_as_such(served, logged):
    place = urlsplit(served.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(b"POST /v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        connection.sendall(b"Content-Length: 100\r\n\r\n{")
    until(lambda: any(json.loads(line).get("status") == 499 for line in logged))


def test_address_in_an_answer_opens_that_picture_without_a_key_and_nothing_else(locked):
    with client_of(locked.url, "one") as client:
        (picture,) = client.images.generate(prompt="a gentra", response_format="url", output_format="webp").data
    path = picture.url.removeprefix(locked.url)
    answer = locked.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    bare, _, query = path.partition("?")
    for other in (
        bare,
        f"{bare[:-1]}1?{query}",
        f"/v1/model?{query}",
        bare.replace("images", "jobs")[:-2] + f"?{query}",
    ):
        assert locked.get(other).status_code == 401, other


def test_pages_of_a_named_origin_may_send_what_openais_client_tells_of_itself(locked):
    with client_of(locked.url) as client:
        told = {*map(str.lower, client.default_headers), "x-stainless-retry-count", "x-stainless-timeout"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ", ".join(sorted(told))}
    address = f"{locked.url}/v1/images/generations"
    answer = requests.options(address, headers=asked | {"Origin": "https://pages.example"}, timeout=PATIENCE)
    assert answer.status_code == 200
    assert told <= {*answer.headers["access-control-allow-headers"].lower().split(", ")}
    foreign = requests.options(address, headers=asked | {"Origin": "https://evil.example"}, timeout=PATIENCE)
    assert "access-control-allow-origin" not in foreign.headers
