import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import requests
import uvicorn

from gentra_lora.service.server import Server
from tests.serving import write_serving_adapter
from tests.waiting import PATIENCE, until


@pytest.fixture
def process(request, tmp_path, tiny_base):
    """`gentra-lora serve` as a process of its own, ready; its parameter are the seconds that it drains for."""
    path = write_serving_adapter(tmp_path / "a.safetensors", tiny_base)
    words = ["--weights", str(path), "--base", str(tiny_base), "--port", "0", "--drain-seconds", str(request.param)]
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "gentra_lora.commands.main", "serve", *words]
        started = subprocess.Popen(command, stderr=log, cwd=tmp_path, env=os.environ | {"GENTRA_API_KEYS": ""})
    try:
        lines = until(lambda: [line for line in (tmp_path / "log").read_text().splitlines() if "running on" in line])
        started.url = "http://127.0.0.1:" + lines[0].split("127.0.0.1:")[1].split()[0].rstrip('"}')
        until(lambda: requests.get(f"{started.url}/readyz", timeout=PATIENCE).status_code == 200)
        yield started
    finally:
        started.kill()
        started.wait()


@pytest.mark.load
@pytest.mark.parametrize("process", [10 * PATIENCE], indirect=True)
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_accepted_job_end_and_the_process_ends_with_it(process, signal_number):
    answer = requests.post(f"{process.url}/v1/jobs", json={"prompt": "a", "num_inference_steps": 30}, timeout=PATIENCE)
    events = requests.get(f"{process.url}{answer.json()['links']['events']}", stream=True, timeout=PATIENCE)
    lines = events.iter_lines(decode_unicode=True)
    next(lines)
    process.send_signal(signal_number)
    until(lambda: requests.get(f"{process.url}/readyz", timeout=PATIENCE).status_code == 503)
    assert requests.post(f"{process.url}/v1/txt2img", json={"prompt": "a"}, timeout=PATIENCE).status_code == 503
    assert "event: done" in list(lines)
    picture = requests.get(f"{process.url}{answer.json()['links']['self']}/images/0", timeout=PATIENCE)
    assert picture.status_code == 200  # for a moment it can still be fetched
    process.wait(PATIENCE)


@pytest.mark.load
@pytest.mark.parametrize("process", [3], indirect=True)
def test_signal_in_a_long_job_ends_it_after_the_time_that_it_is_given(process):
    values = {"prompt": "a", "num_inference_steps": 100, "width": 512, "height": 512, "num_images": 4}
    answer = requests.post(f"{process.url}/v1/jobs", json=values, timeout=PATIENCE)
    events = requests.get(f"{process.url}{answer.json()['links']['events']}", stream=True, timeout=PATIENCE)
    begun = time.monotonic()
    process.terminate()
    lines = [line for line in events.iter_lines(decode_unicode=True) if line]
    assert lines[-2] == "event: cancelled"
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["code"] == "draining"
    process.wait(PATIENCE)
    assert time.monotonic() - begun > 2


class Accepted:
    """A service with one job, which ends when it is told to."""

    def __init__(self):
        self.life, self.busy = SimpleNamespace(state="ready"), True

    def drain(self):
        self.life.state = "draining"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("gentra_lora.service.server.SECONDS_TO_FETCH", 0.1)
    return Server(uvicorn.Config(lambda: None), Accepted())


def test_signal_begins_to_drain_and_the_listening_goes_on_until_what_was_accepted_has_ended(server):
    server.handle_exit(signal.SIGTERM, None)
    assert server.service.life.state == "draining"
    time.sleep(0.2)
    assert not server.should_exit
    server.service.busy = False
    until(lambda: server.should_exit)


def test_second_signal_ends_at_once(server):
    server.handle_exit(signal.SIGTERM, None)
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
    server.service.busy = False
