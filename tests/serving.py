"""A repository with two revisions of real adapters, and services that run in a thread of this process."""

import hashlib
import json
import math
import socket
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest
import requests
import torch
import uvicorn
import yaml
from dvc.utils.serialize import dumps_yaml

from gentra_lora.adapter.file import kohya_tensors, write_adapter
from gentra_lora.adapter.lora import attach_adapter, lora_modules
from gentra_lora.base.model import load_unet
from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.evaluation.scored_run import METRICS
from gentra_lora.revisions.locked_run import WEIGHTS
from gentra_lora.service.jobs.job import ENDED
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.server import config_of
from gentra_lora.service.settings import ServiceSettings
from tests.dvc_project import command
from tests.waiting import PATIENCE, until

TRIGGER, RANK = "gentra", 4
TOKEN = "an-admin-token-of-tests"
STEPS, GUIDANCE = 3, 3.0


def write_serving_adapter(path, base, seed=0, std=0.1, resolution=64, rank=RANK, targets="attention+ff", **header):
    """Write an adapter of random weights for a base, with the header that `train` writes."""
    unet = load_unet(BaseSource(str(base)), torch.float32)
    attach_adapter(unet, rank, 2, targets, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in lora_modules(unet).values():
            module.up.normal_(std=std, generator=generator)
    values = {
        "format": "pt",
        "gentra.base": base_identity(BaseSource(str(base))),
        "modelspec.trigger_phrase": TRIGGER,
        "modelspec.resolution": f"{resolution}x{resolution}",
        "gentra.train_params": "{}",
    }
    write_adapter(path, kohya_tensors(lora_modules(unet), 2), values | header)
    return path


def commit_weights(folder, remote, base, tag, seed, **more):
    """Commit a revision whose dvc.lock names an adapter that lies on the remote, and tag it."""
    path = write_serving_adapter(folder / WEIGHTS, base, seed, **more)
    content = path.read_bytes()
    md5 = command(folder, "md5sum", WEIGHTS).split()[0]
    place = remote / "files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    metrics = json.dumps({"val_loss": seed / 100})
    outs = [{"path": WEIGHTS, "hash": "md5", "md5": md5, "size": len(content)}]
    outs += [{"path": METRICS, "hash": "md5", "md5": hashlib.md5(metrics.encode()).hexdigest(), "size": len(metrics)}]
    params = {"params.yaml": yaml.safe_load((folder / "params.yaml").read_text())}
    lock = {"schema": "2.0", "stages": {"train": {"cmd": "true", "params": params, "outs": outs}}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    (folder / "reports").mkdir(exist_ok=True)
    (folder / METRICS).write_text(metrics)
    path.unlink()
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-qm", tag)
    command(folder, "git", "tag", tag)


def make_serving_repo(top, base, resolution=64):
    """Return a repository with the tags `first` and `second`, its remote beside it."""
    folder, remote = top / "project", top / "remote"
    for path in (folder / "models", folder / ".dvc", remote):
        path.mkdir(parents=True)
    command(folder, "git", "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text("/models\n")
    (folder / ".dvc/config").write_text(f"[core]\n    remote = drive\n['remote \"drive\"']\n    url = {remote}\n")
    stage = {"cmd": "true", "outs": [WEIGHTS], "metrics": [{METRICS: {"cache": False}}]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": stage}}))
    params = {
        "base": {"model": str(base), "revision": None, "vae": None, "vae_revision": None, "mixed_precision": "auto"},
        "evaluate": {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE},
    }
    (folder / "params.yaml").write_text(dumps_yaml(params))
    commit_weights(folder, remote, base, "first", 1, resolution=resolution)
    commit_weights(folder, remote, base, "second", 2, resolution=resolution)
    return folder


@pytest.fixture(scope="session")
def serving_repo(tmp_path_factory, tiny_base):
    """The folder of such a repository on the tiny base; not to be changed."""
    return make_serving_repo(tmp_path_factory.mktemp("serving"), tiny_base)


def settings_for(repo, **more):
    """Return ServiceSettings for the tag `first` of a repository, whatever the environment says."""
    values = {"repo": str(repo), "rev": "first", "weights_dir": repo.parent / "served"}
    values |= {"time_limit": 10 * PATIENCE, "drain_seconds": 10 * PATIENCE}  # no test waits for their end
    return ServiceSettings(**values | more)


@dataclass(frozen=True)
class Served:
    """A service that runs: its address and, for looking inside, itself."""

    url: str
    service: Service

    def get(self, path, **more):
        """GET a path."""
        return requests.get(self.url + path, timeout=PATIENCE, **more)

    def post(self, path, **more):
        """POST to a path."""
        return requests.post(self.url + path, timeout=PATIENCE, **more)

    def cancel(self, job):
        """DELETE a job."""
        return requests.delete(f"{self.url}/v1/jobs/{job}", timeout=PATIENCE)

    def draw(self, prompt="a gentra", **values):
        """POST a prompt to /v1/txt2img."""
        headers = values.pop("headers", {})
        return self.post("/v1/txt2img", json={"prompt": prompt, **values}, headers=headers)

    def redraw(self, photo, prompt="a gentra", **values):
        """POST a photo's bytes to /v1/img2img."""
        headers = values.pop("headers", {})
        return self.post("/v1/img2img", files={"image": photo}, data={"prompt": prompt, **values}, headers=headers)

    def job(self, prompt="a gentra", **values):
        """POST a job and return its id."""
        answer = self.post("/v1/jobs", json={"prompt": prompt, **values})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def reload(self, rev, token=TOKEN):
        """POST a reload."""
        return self.post("/v1/admin/reload", json={"rev": rev}, headers={"Authorization": f"Bearer {token}"})

    def state(self, job):
        """Return a job as it is now."""
        return self.get(f"/v1/jobs/{job}").json()

    def ended(self, job):
        """Wait for a job's end and return it."""
        return until(lambda: (found := self.state(job))["state"] in ENDED and found)


class Gate:
    """Stands before a denoiser's steps: none is taken until the test lets it."""

    def __init__(self, forward):
        """Hold the denoiser's own `forward`."""
        self.forward, self.passes = forward, 0
        self.reached = 0  # steps that were begun, the one that waits too
        self._turn = threading.Condition()

    def __call__(self, *args, **more):
        with self._turn:
            self.reached += 1
            self._turn.notify_all()
            assert self._turn.wait_for(lambda: self.passes > 0, PATIENCE), "no step was let pass"
            self.passes -= 1
        return self.forward(*args, **more)

    def wait(self, steps=1):
        """Wait until the denoiser stands before that step, counted from 1."""
        with self._turn:
            assert self._turn.wait_for(lambda: self.reached >= steps, PATIENCE), f"step {steps} was not begun"

    def let(self, steps=math.inf):
        """Let steps be taken, all that come where no number is given."""
        with self._turn:
            self.passes += steps
            self._turn.notify_all()


@contextmanager
def gated(served):
    """Yield a Gate before a service's denoiser, at which its work stands; all steps are let pass at the end."""
    unet = served.service.life.worker.engine.unet
    unet.forward = gate = Gate(unet.forward)
    try:
        yield gate
    finally:
        gate.let()
        unet.forward = gate.forward


@contextmanager
def busy(served, **values):
    """Yield a Gate at which a job stands before its first step; what is asked for meanwhile waits behind it."""
    with gated(served) as gate:
        gate.job = served.job(width=128, **values)  # of a size that no other's batch has
        gate.wait()
        yield gate


@contextmanager
def running(settings, ready=True, service=None, seconds_to_answer=10):
    """Run a service in a thread; yield the Served once it serves, or at once where it is not to be `ready`.

    At the end it gives the requests that are still open so many seconds.
    """
    service = service or Service(settings)
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(config_of(settings, service, seconds_to_answer))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started, message="the server did not start")
            if ready:
                until(lambda: service.life.state != "starting")
                assert service.life.state == "ready", service.life.reason
            yield Served(f"http://127.0.0.1:{port}", service)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the server did not end"


@pytest.fixture(scope="session")
def served(serving_repo, tmp_path_factory):
    """A service of the tag `first` that all tests share: none may leave it other than it was."""
    settings = settings_for(serving_repo, weights_dir=tmp_path_factory.mktemp("served"), admin_token=TOKEN)
    with running(settings) as found:
        yield found
