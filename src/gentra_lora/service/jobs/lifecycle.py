"""From nothing to serving, and from one revision to another: each step proven before anything depends on it."""

import copy
import logging
import threading
from concurrent.futures import Future

from gentra_lora.base.model import choose_device
from gentra_lora.errors import InputError, first_line
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.revision import check_limits, check_same_base, check_source, find_revision
from gentra_lora.service.jobs.warm_up import warm_up
from gentra_lora.service.jobs.worker import Worker

log = logging.getLogger(__name__)


class Lifecycle:
    """Whether the service serves, and what.

    `state` is starting, ready, failed or draining, and `reason` says why it is not ready.
    """

    def __init__(self, settings, queue, metrics, finish):
        """Hold what the worker will need; see Worker."""
        self.settings, self.queue, self.metrics, self._finish = settings, queue, metrics, finish
        self.state, self.reason = "starting", "the weights are being fetched and the base is being loaded"
        self.worker, self.tokenizer, self.identity = None, None, None
        self._lock, self._reloading = threading.Lock(), threading.Lock()

    @property
    def revision(self):
        """What is served; None before anything is."""
        return self.worker.revision if self.worker else None

    @property
    def alive(self):
        """Whether the worker, where there is one, has not ended."""
        return self.worker is None or self.worker.is_alive()

    def start(self):
        """Begin to load, in a thread of its own."""
        threading.Thread(target=self.load, name="start", daemon=True).start()

    def load(self):
        """Fetch and prove the weights, load the base, and be ready; else say why not."""
        with self._reloading:
            try:
                self._serve(find_revision(self.settings))
            except Exception as error:
                self._failed(error)

    def _failed(self, error):
        known = isinstance(error, InputError)
        log.error("not ready: %s", error, exc_info=None if known else error)
        with self._lock:
            if self.state != "draining":
                self.state = "failed"
                self.reason = str(error) if known else f"the start failed ({type(error).__name__}); the log says why"

    def _serve(self, revision):
        """Put a revision on and let it serve; the one before stays where it cannot.

        Raises:
            InputError: it does not fit the base, or does not do what an adapter does.
        """
        if self.worker is None:
            check_limits(revision, self.settings)
            self.identity = check_source(revision, self.settings.allow_other_base)
            device = choose_device()
            precision = "fp16" if device.type == "cuda" else "no"
            engine = PictureEngine(revision.source, precision, device)
            self.tokenizer = copy.deepcopy(engine.tokenizer)  # tokenizers cannot be borrowed by two threads
            self.worker = Worker(self.queue, engine, self.metrics, self._finish)
            self.worker.start()
        else:
            check_same_base(revision, self.identity, self.settings.allow_other_base)
        self._in_worker(lambda: self._switch(revision))
        with self._lock:
            if self.state != "draining":
                self.state, self.reason = "ready", None

    def _switch(self, revision):
        engine, before = self.worker.engine, self.worker.revision
        held = engine.adapter.factors
        try:
            engine.adapter.use(engine.adapter.fit(revision.file["name"], revision.tensors))
            warm_up(engine, revision)
        except BaseException:
            engine.adapter.use(held)
            raise
        self.worker.revision = revision
        if before:
            self.metrics.revision.remove(before.commit or "", before.file["sha256"])
        self.metrics.revision.labels(revision.commit or "", revision.file["sha256"]).set(1)
        log.info("serving %s (commit %s)", revision.file["sha256"], revision.commit)

    def _in_worker(self, command):
        """Return what `command` returns, or raise what it raises, called by the worker between two batches."""
        future = Future()
        self.queue.call(lambda: settle(future, command))
        return future.result()

    def reload(self, rev=None):
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
            self._serve(find_revision(self.settings, rev))
        except ServiceError:
            raise
        except InputError as error:
            self.metrics.reloads.labels("refused").inc()
            raise ServiceError(422, "revision_refused", str(error), param="rev") from error
        except Exception as error:
            self.metrics.reloads.labels("failed").inc()
            log.error("reload failed", exc_info=error)
            raise ServiceError(500, "failed", f"the reload failed ({first_line(error)})") from error
        finally:
            self._reloading.release()
        self.metrics.reloads.labels("served").inc()
        return self.revision

    def drain(self):
        """Be ready no more, for good; return whether it was this call that began it."""
        with self._lock:
            begun = self.state != "draining"
            self.state, self.reason = "draining", "the service is being stopped"
        return begun


def settle(future, function):
    """Give a future what function() returns or raises; once this has begun, nobody's going away can cancel it."""
    future.set_running_or_notify_cancel()
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
