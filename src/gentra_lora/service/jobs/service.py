"""The service behind the HTTP: it takes jobs, keeps them for a while, and ends in good time."""

import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gentra_lora.pictures.record import png_of, record_of
from gentra_lora.service.errors import ServiceError, not_ready
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.lifecycle import Lifecycle
from gentra_lora.service.jobs.metrics import ServiceMetrics
from gentra_lora.service.jobs.pace import check_time, limit_of
from gentra_lora.service.jobs.queue import JobQueue
from gentra_lora.service.jobs.resolve import Photo, check_texts, followed, resolve, warnings_of
from gentra_lora.service.jobs.revision import Revision, adapter_of
from gentra_lora.service.jobs.schemas import TextToImage
from gentra_lora.service.jobs.store import JobStore
from gentra_lora.service.settings import ServiceSettings

log = logging.getLogger(__name__)
LOST = "the device is lost; start the service anew"


class Service:
    """One base with one adapter at a time, its queue and its jobs."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Hold the settings; `life.start` begins to load."""
        self.settings, self.metrics = settings, ServiceMetrics()
        self.queue = JobQueue(settings.max_queue)
        self.life = Lifecycle(settings, self.queue, self.metrics, self._finish)
        self.jobs: OrderedDict[str, Job] = OrderedDict()  # by id
        bounds = settings.jobs_dir_bytes, settings.jobs_dir_seconds
        self.store = JobStore(settings.jobs_dir, *bounds) if settings.jobs_dir else None
        self._lock, self._tokens = threading.RLock(), threading.Lock()
        self._encoder = ThreadPoolExecutor(1, "encoder")
        self.metrics.observe(
            waiting=lambda: len(self.queue.jobs()),
            running=lambda: len(self.life.worker.running) if self.life.worker else 0,
            ready=lambda: self.life.state == "ready",
        )

    def drain(self) -> None:
        """Take nothing more; after `drain_seconds` end what is left."""
        if not self.life.drain():
            return
        timer = threading.Timer(self.settings.drain_seconds, self.end_jobs)
        timer.daemon = True
        timer.start()

    @property
    def busy(self) -> bool:
        """Whether a job has not ended."""
        with self._lock:
            return any(not job.ended for job in self.jobs.values())

    def end_jobs(self) -> None:
        """End every job that has not ended."""
        with self._lock:
            jobs = list(self.jobs.values())
        for job in jobs:
            job.end("cancelled", ServiceError(503, "draining", "the service is being stopped; ask again"))
            self.queue.drop(job)

    def stop(self) -> None:
        """End all jobs and the worker, within a step."""
        self.drain()
        self.end_jobs()
        self.queue.close()
        if self.life.worker:
            self.life.worker.join(timeout=30)
        self._encoder.shutdown(cancel_futures=True)
        if self.store:
            self.store.close()

    def check_open(self) -> Revision:
        """Return what is served; refuse a request before its body is read, where it would be refused after.

        Raises:
            ServiceError: 503, not ready or draining; 429, no place.
        """
        state, reason, revision = self.life.state, self.life.reason, self.life.revision
        if state == "draining":
            raise ServiceError(503, "draining", reason, headers={"Retry-After": "5", "Connection": "close"})
        if state != "ready" or not self.life.alive or revision is None:
            raise not_ready(reason or LOST)
        self.queue.check_room()
        return revision

    def submit(self, body: TextToImage, photo: Photo | None = None, request_id: str | None = None) -> Job:
        """Return the job of a request, which waits from now on.

        Raises:
            ServiceError: see `check_open` and `resolve`.
        """
        revision = self.check_open()
        body = followed(body, adapter_of(revision), revision.alias)
        with self._tokens:
            check_texts(body, self.life.tokenizer)
        requests = resolve(body, revision.defaults, self.settings, photo)
        check_time(requests, revision.defaults, self.settings, self.queue.pace)
        warnings = warnings_of(requests, revision.trigger_word)
        job = Job(requests, limit_of(len(requests), self.settings), warnings, request_id)
        with self._lock:
            self.check_open()
            self.queue.put(job)
            self.jobs[job.id] = job
            self._forget_old()
        return job

    def tokens(self, text: str) -> tuple[int, int]:
        """Return how many tokens a text has, and how many the text encoder reads."""
        with self._tokens:
            tokenizer = self.life.tokenizer
            return len(tokenizer(text, add_special_tokens=False).input_ids), tokenizer.model_max_length - 2

    def cancel(self, job: Job, error: ServiceError | None = None) -> None:
        """End a job by wish of its client; its place is free at once, and its pictures leave their batch."""
        error = error or ServiceError(409, "cancelled", "cancelled by its client")
        job.end("cancelled", error)
        self.queue.drop(job)

    def _forget_old(self) -> None:
        now, kept = time.monotonic(), self.settings.job_seconds_kept
        ended = [(job, job.ended_at) for job in self.jobs.values() if job.ended_at is not None]
        for place, (job, ended_at) in enumerate(ended):
            if now - ended_at > kept or len(ended) - place > self.settings.jobs_kept:
                del self.jobs[job.id]

    def find(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            ServiceError: 404, there is none, or it has been forgotten.
        """
        with self._lock:
            self._forget_old()
            job = self.jobs.get(job_id) or self._stored(job_id)
        if job is None:
            raise ServiceError(404, "not_found", "no such job, or it ended too long ago")
        return job

    def _stored(self, job_id: str) -> Job | None:
        try:
            return self.store.find(job_id) if self.store else None
        except (OSError, sqlite3.Error) as error:
            log.error("a finished job could not be read", exc_info=error, extra={"values": {"job": job_id}})
            return None

    def _store(self, job: Job) -> None:
        """Let a job outlive the process; where the disk does not take it, it lives in memory alone."""
        if self.store is None or job.ended:
            return
        try:
            self.store.keep(job)
        except (OSError, sqlite3.Error) as error:
            log.error("a finished job could not be kept", exc_info=error, extra={"values": {"job": job.id}})

    def _finish(self, job: Job) -> None:
        try:
            self._encoder.submit(self._encode, job)
        except RuntimeError:  # the service has been stopped
            job.end("cancelled", ServiceError(503, "draining", "the service is being stopped; ask again"))

    def _encode(self, job: Job) -> None:
        try:
            with self.metrics.seconds.labels("encoding").time():
                origin = self.origin(job.revision)
                job.records = [record_of(request, origin) for request in job.requests]
                pictures = [picture for picture in job.pictures if picture is not None]
                job.pngs = [png_of(*pair) for pair in zip(pictures, job.records, strict=True)]
        except Exception as error:
            values = {"job": job.id, "request_id": job.request_id}
            log.error("a picture could not be encoded", exc_info=error, extra={"values": values})
            self.metrics.failures.labels("failed").inc()
            job.end("failed", ServiceError(500, "failed", "the picture could not be written; the log says why"))
            return
        job.pictures = []
        job.requests = [replace(request, photo=None, mask=None) for request in job.requests]
        mode = "txt2img" if job.requests[0].strength is None else "img2img"
        self._store(job)  # first: whoever sees that it is done finds it after a restart
        if job.end("done"):
            self.metrics.pictures.labels(mode).inc(len(job.pngs))
        elif self.store:
            self.store.forget(job)

    def origin(self, revision: Revision) -> dict[str, str | None]:
        """Return what a picture's record says of what made it."""
        return {
            "base": self.life.identity,
            "adapter": adapter_of(revision),
            "adapter_sha256": revision.file["sha256"],
            "adapter_model_hash": revision.model_hash,
            "commit": revision.commit,
            "precision": self.life.precision,
        }
