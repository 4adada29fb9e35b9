"""The service as replicas of Ray Serve, on this machine."""

import os
import signal
import threading
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import requests

from gentra_lora.service.settings import ServiceSettings
from tests.conftest import ROOT
from tests.service.http.test_answers import pixels
from tests.waiting import PATIENCE, until

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = [pytest.mark.load, pytest.mark.filterwarnings("ignore")]
PORT = 18437  # not Ray's own, which another program may listen to
URL = f"http://127.0.0.1:{PORT}"


def replicas():
    """Return the processes of the replicas."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        if "ServeReplica:gentra" in " ".join(process.info["cmdline"] or []):
            found.add(process.pid)
    return found


@pytest.fixture(scope="module")
def deploy(serving_repo, tmp_path_factory):
    """Deploy a revision of the repository on two replicas."""
    from ray import serve

    from gentra_lora.service.ray import application

    folder = tmp_path_factory.mktemp("ray")
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    runtime = {"env_vars": {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}}
    with warnings.catch_warnings(action="ignore"):
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, runtime_env=runtime)

        serve.start(http_options={"port": PORT})

        def run(rev):
            values = {"repo": str(serving_repo), "rev": rev, "weights_dir": str(folder), "num_cpus": 1}
            serve.run(application(values | {"num_replicas": 2}), name="gentra")

        run("first")
        yield run
        serve.shutdown()
        ray.shutdown()


def draw(seed=3):
    values = {"prompt": "a gentra", "seed": seed}
    return requests.post(f"{URL}/v1/txt2img", json=values, timeout=PATIENCE)


def test_what_the_environment_of_the_deployer_says_holds_in_the_replicas(monkeypatch, tmp_path):
    from gentra_lora.service.ray import handed_on

    monkeypatch.setenv("GENTRA_API_KEYS", "secret")
    monkeypatch.setenv("GENTRA_MAX_QUEUE", "3")
    monkeypatch.chdir(tmp_path)
    values = handed_on(ServiceSettings())
    monkeypatch.delenv("GENTRA_API_KEYS")
    monkeypatch.delenv("GENTRA_MAX_QUEUE")
    settings = ServiceSettings(**values)
    assert (settings.keys(), settings.max_queue, settings.repo) == ([b"secret"], 3, str(tmp_path))
    assert "secret" not in repr(values)


@pytest.mark.parametrize("name", ["host", "port", "drain_seconds"])
def test_setting_that_is_rays_is_refused(name):
    from gentra_lora.service.ray import application

    with pytest.raises(ValueError, match=name):
        application({name: "1"})


def test_two_replicas_answer_with_the_pictures_of_the_one_service(deploy, served):
    wanted = pixels(served.draw(seed=3).content).astype(int)
    assert len(replicas()) == 2
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(draw, [3] * 16):
            assert answer.status_code == 200
            assert answer.headers["x-commit"] == served.service.life.revision.commit
            assert np.abs(pixels(answer.content) - wanted).max() <= 1


def test_jobs_and_reloads_are_left_out(deploy):
    assert requests.get(f"{URL}/v1/jobs/x", timeout=PATIENCE).status_code == 404
    assert requests.post(f"{URL}/v1/admin/reload", json={}, timeout=PATIENCE).status_code == 404


def test_killed_replica_comes_back_and_the_other_answers_meanwhile(deploy):
    before = replicas()
    os.kill(min(before), signal.SIGKILL)
    assert {draw().status_code for _ in range(5)} == {200}
    until(lambda: len(replicas()) == 2 and replicas() != before)


def test_revision_changes_replica_by_replica_without_a_dropped_request(deploy):
    answers, done = [], threading.Event()

    def ask():
        while not done.is_set():
            answer = draw()
            answers.append((answer.status_code, answer.headers.get("x-commit")))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    deploy("second")
    done.wait(1)
    done.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} == {200}
    assert len(Counter(answers)) == 2


def test_revision_that_is_refused_leaves_the_old_one_serving_and_says_why(deploy):
    before = draw().headers["x-commit"]
    with pytest.raises(RuntimeError, match="Failed to update"):
        deploy("nowhere")
    from ray import serve

    status = serve.status().applications["gentra"].deployments["gentra-lora"]
    assert "the weights are not served: " in status.message
    assert "nowhere" in status.message
    assert draw().headers["x-commit"] == before
