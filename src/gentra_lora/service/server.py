"""The process: logging, signals, a bounded end."""

import logging
import sys
import threading
import time
from types import FrameType

import uvicorn

from gentra_lora.service.http.app import create_app
from gentra_lora.service.http.connections import HEAD_BYTES, Connection
from gentra_lora.service.http.middleware import JsonLines
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.settings import ServiceSettings

SECONDS_TO_FETCH = 2  # the pictures of jobs that ended meanwhile
SECONDS_AFTER = 10  # for the answers that say that the jobs were ended


class Server(uvicorn.Server):
    """Lets accepted requests end when it is told to stop, for a bounded time, and takes no new ones."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take nothing new, and go once what was accepted has ended and could be fetched; a second signal: at once."""
        if self.service.life.state == "draining":
            super().handle_exit(sig, frame)
            return
        self.service.drain()
        threading.Thread(target=self._exit_when_idle, args=(sig, frame), daemon=True).start()

    def _exit_when_idle(self, sig: int, frame: FrameType | None) -> None:
        waited = self.service.busy
        while self.service.busy:  # for drain_seconds at most: then the service ends them
            time.sleep(0.05)
        if waited:
            time.sleep(SECONDS_TO_FETCH)
        super().handle_exit(sig, frame)


def serve(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("httpx", "filelock", "dvc", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    service = Service(settings)
    Server(config_of(settings, service, int(settings.drain_seconds) + SECONDS_AFTER), service).run()


def config_of(settings: ServiceSettings, service: Service, seconds_to_answer: int) -> uvicorn.Config:
    """Return how the HTTP is served.

    Args:
        seconds_to_answer: at the end, for requests that are still open.
    """
    return uvicorn.Config(
        create_app(settings, service),
        host=settings.host,
        port=settings.port,
        http=Connection,
        h11_max_incomplete_event_size=HEAD_BYTES,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=seconds_to_answer,
    )
