"""From nothing to serving, and from one revision to another: each step proven before anything depends on it."""

import copy
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, TypeVar

from transformers import CLIPTokenizer

from gentra_lora.base.precision import choose_device
from gentra_lora.errors import InputError, first_line
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.service.errors import ServiceError, without_paths
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.metrics import ServiceMetrics
from gentra_lora.service.jobs.queue import JobQueue
from gentra_lora.service.jobs.revision import Revision, check_limits, check_same_base, check_source, find_revision
from gentra_lora.service.jobs.warm_up import warm_up
from gentra_lora.service.jobs.worker import Worker
from gentra_lora.service.settings import ServiceSettings

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Lifecycle:
    """Whether the service serves, and what.

    `reason` says why it is not ready; `revision` is what is served, None before anything is.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        queue: JobQueue,
        metrics: ServiceMetrics,
        finish: Callable[[Job], object],
    ) -> None:
        """Hold what the worker will need; see Worker."""
        self.settings, self.queue, self.metrics, self._finish = settings, queue, metrics, finish
        self.state: Literal["starting", "ready", "failed", "draining"] = "starting"
        self.reason = "the weights are being fetched and the base is being loaded"
        self.worker: Worker | None = None
        self.revision: Revision | None = None
        self.tokenizer: CLIPTokenizer  # this and the next two are there once the base is loaded
        self.identity: str
        self.precision: str
        self._lock, self._reloading = threading.Lock(), threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether the worker, where there is one, has not ended."""
        return self.worker is None or self.worker.is_alive()

    def start(self) -> None:
        """Begin to load, in a thread of its own."""
        threading.Thread(target=self.load, name="start", daemon=True).start()

    def load(self) -> None:
        """Fetch and prove the weights, load the base, and be ready; else say why not."""
        with self._reloading:
            try:
                self._serve(find_revision(self.settings))
            except Exception as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, InputError)
        log.error("not ready: %s", error, exc_info=None if known else error)
        with self._lock:
            if self.state != "draining":
                self.state = "failed"
                unknown = f"the start failed ({type(error).__name__}); the log says why"
                self.reason = without_paths(str(error)) if known else unknown

    def _serve(self, revision: Revision) -> None:
        """Put a revision on and let it serve; the one before stays where it cannot.

        Raises:
            InputError: it does not fit the base, or does not do what an adapter does.
        """
        worker = self.worker
        if worker is None:
            check_limits(revision, self.settings)
            self.identity = check_source(revision, self.settings.allow_other_base)
            device = choose_device()
            self.precision = "fp16" if device.type == "cuda" else "no"
            engine = PictureEngine(revision.source, self.precision, device)
            self.tokenizer = copy.deepcopy(engine.tokenizer)  # tokenizers cannot be borrowed by two threads
            worker = self.worker = Worker(self.queue, engine, self.metrics, self._finish)
            worker.start()
        else:
            check_same_base(revision, self.identity, self.settings.allow_other_base)
        self._in_worker(lambda: self._switch(worker, revision))
        with self._lock:
            if self.state != "draining":
                self.state, self.reason = "ready", ""

    def _switch(self, worker: Worker, revision: Revision) -> None:
        engine, before = worker.engine, self.revision
        held = engine.adapter.factors
        try:
            engine.adapter.use(engine.adapter.fit(Path(revision.file["name"]), revision.tensors))
            warm_up(engine, revision, self.queue.pace)
        except BaseException:
            engine.adapter.use(held)
            raise
        worker.revision = self.revision = revision
        if before:
            self.metrics.revision.remove(before.commit or "", before.file["sha256"])
        self.metrics.revision.labels(revision.commit or "", revision.file["sha256"]).set(1)
        log.info("serving %s (commit %s)", revision.file["sha256"], revision.commit)

    def _in_worker(self, command: Callable[[], Result]) -> Result:
        """Return what `command` returns, or raise what it raises, called by the worker between two batches."""
        future: Future[Result] = Future()
        self.queue.call(lambda: settle(future, command))
        return future.result()

    def reload(self, rev: str | None = None) -> Revision:
        """Serve another revision, or the same name looked up again, once it has passed every check of the start.

        Raises:
            ServiceError: 409, another reload or the start is at work; 422, why the revision is refused: what served
                goes on; 503, the service is being stopped.
        """
        if self.state == "draining":
            raise ServiceError(503, "draining", self.reason)
        if not self._reloading.acquire(blocking=False):
            raise ServiceError(409, "reloading", "another reload, or the start, is at work; wait for its end")
        try:
            revision = find_revision(self.settings, rev)
            self._serve(revision)
        except ServiceError:
            raise
        except InputError as error:
            self.metrics.reloads.labels("refused").inc()
            raise ServiceError(422, "revision_refused", without_paths(str(error)), param="rev") from error
        except Exception as error:
            self.metrics.reloads.labels("failed").inc()
            log.error("reload failed", exc_info=error)
            raise ServiceError(500, "failed", f"the reload failed ({without_paths(first_line(error))})") from error
        finally:
            self._reloading.release()
        self.metrics.reloads.labels("served").inc()
        return revision

    def drain(self) -> bool:
        """Be ready no more, for good; return whether it was this call that began it."""
        with self._lock:
            begun = self.state != "draining"
            self.state, self.reason = "draining", "the service is being stopped"
        return begun


def settle(future: Future[Result], function: Callable[[], Result]) -> None:
    """Give a future what function() returns or raises; once this has begun, nobody's going away can cancel it."""
    future.set_running_or_notify_cancel()
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
