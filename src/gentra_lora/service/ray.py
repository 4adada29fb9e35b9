"""The same service as replicas on Ray Serve, each with a base, a queue and a worker of its own.

`serve deploy` with the file in docs/service.md starts it; the same file with another `rev` changes the revision replica
by replica. Settings are those of `gentra-lora serve`, as `args` or by the environment. Jobs live in one replica and are
left out, and so is reloading.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve

from gentra_lora.service.http.app import create_app
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.server import SECONDS_AFTER
from gentra_lora.service.settings import ServiceSettings

HERE: dict[str, Service] = {}  # the service of this process, which is one replica
RAYS_OWN = ("host", "port", "drain_seconds")  # a replica would not look at them


class Replica:
    """A service that is ready, or no replica at all."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Load and prove the weights.

        Raises:
            RuntimeError: why they cannot be served; Ray then keeps the replicas before.
        """
        service = HERE["service"] = Service(ServiceSettings(**values))
        service.life.load()
        if service.life.state != "ready":
            raise RuntimeError(f"the weights are not served: {service.life.reason}")

    def check_health(self) -> None:
        """Let Ray replace the replica where its worker is gone."""
        if not HERE["service"].life.alive:
            raise RuntimeError("the worker has ended")


def routes() -> FastAPI:
    """Return the application of this replica's service; Ray calls it after the constructor."""
    service = HERE["service"]
    return create_app(service.settings, service, parts=("pictures",))


def application(args: Mapping[str, Any]) -> serve.Application:
    """Return what `serve deploy`, `serve run` and `serve.run` deploy.

    Args:
        args: num_replicas, num_cpus and num_gpus of each, and settings of the service.

    Raises:
        ValueError: a setting that is Ray's here.
    """
    values = dict(args)
    count = int(values.pop("num_replicas", 1))
    share = {name: float(values.pop(name)) for name in ("num_cpus", "num_gpus") if name in values}
    for name in RAYS_OWN:
        if name in values:
            raise ValueError(f"{name}: is Ray's to decide; leave it out, http_options has the address")
    settings = ServiceSettings(**values, host="0.0.0.0")  # Ray's proxy listens, under whatever name
    deployed = serve.deployment(
        name="gentra-lora",
        num_replicas=count,
        ray_actor_options=share,
        # Beyond what our own queue takes, so that it is the one that refuses, with the seconds to wait.
        max_ongoing_requests=4 * (settings.max_queue + 16),
        # Ray tells a replica nothing before its requests have ended, and kills it in the middle of an answer after this
        # time: each accepted request is let end, by its time limit at last.
        graceful_shutdown_timeout_s=settings.time_limit + SECONDS_AFTER,
    )
    return deployed(serve.ingress(routes)(Replica)).bind(handed_on(settings))


def handed_on(settings: ServiceSettings) -> dict[str, Any]:
    """Return what was set, by arguments or by the environment of this process.

    A replica has the environment of its node: what is not handed on, an API key for one, does not hold there.
    """
    values = settings.model_dump(exclude_unset=True)
    if Path(settings.repo).is_dir():
        values["repo"] = str(Path(settings.repo).resolve())
    return values
