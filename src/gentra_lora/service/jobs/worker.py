"""The one thread that owns the denoiser: it takes what fits together from the queue and makes the pictures."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import torch

from gentra_lora.base.memory import ran_out
from gentra_lora.pictures.batch import PictureBatch
from gentra_lora.pictures.engine import NotFiniteError, PictureEngine
from gentra_lora.pictures.sampling_pipeline import GenerationError
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.job import Job, Place
from gentra_lora.service.jobs.metrics import ServiceMetrics
from gentra_lora.service.jobs.queue import JobQueue
from gentra_lora.service.jobs.revision import Revision

log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Makes the jobs of a queue, until it is closed.

    Args:
        engine: nobody else touches it from now on.
        finish: called with a job that has all its pictures, and does not take long.
    """

    def __init__(
        self, queue: JobQueue, engine: PictureEngine, metrics: ServiceMetrics, finish: Callable[[Job], object]
    ) -> None:
        super().__init__(name="worker", daemon=True)
        self.queue, self.engine, self.metrics, self.finish = queue, engine, metrics, finish
        self.revision: Revision  # what is served; set by a command, in this thread, before there are jobs
        self.running: Sequence[Place] = ()

    def run(self) -> None:
        """Work until the queue is closed, or until the device is lost; then nobody waits in vain."""
        try:
            while (work := self.queue.take()) is not None:
                if callable(work):
                    work()
                else:
                    self.make(work)
        except Exception as error:
            log.critical("the worker has ended", exc_info=error)
            lost = {place.job for place in self.running} | set(self.queue.jobs())
            for job in lost:
                job.end("failed", ServiceError(500, "failed", "the service has a fault and must be started anew"))

    def make(self, places: Sequence[Place]) -> None:
        """Make the pictures of one batch; whatever goes wrong is told to the jobs that it concerns."""
        begun = time.monotonic()
        places = [place for place in places if not place.job.ended]
        if not places:
            return
        for job in {place.job for place in places}:
            if job.begin(self.revision):
                self.metrics.seconds.labels("queued").observe(job.timings["queued"])
        self.running = places
        failed: ServiceError | None = None
        try:
            self._denoise(places)
        except Exception as error:
            failed = self._told(error, places)
        if failed:  # outside of the clause above, which holds on to the tensors of the step that failed
            self._mend([place for place in places if not place.job.ended], failed)
        self.running = ()
        self.queue.measured(time.monotonic() - begun, len({place.job for place in places}))

    def _told(self, error: Exception, places: Sequence[Place]) -> ServiceError:
        """Return what a client is told of an error; what only the log should hold goes there."""
        told = told_of(error)
        if told.code == "failed":
            jobs = {place.job for place in places}
            values = {"jobs": [job.id for job in jobs], "request_ids": [job.request_id for job in jobs]}
            log.error("pictures failed", exc_info=error, extra={"values": values})
        return told

    def _mend(self, places: Sequence[Place], failed: ServiceError) -> None:
        """Try each picture of a batch alone, so that one cannot spoil another's; alone, it fails."""
        _free_memory()
        if len(places) == 1:
            self._fail(places[0].job, failed)
            return
        log.warning("a batch of %d failed (%s); each picture is tried alone", len(places), failed.code)
        for place in places:
            place.job.taken[place.index] = 0
            self.make([place])

    def _fail(self, job: Job, failed: ServiceError) -> None:
        if job.end("failed", failed):
            self.metrics.failures.labels(failed.code).inc()

    def _denoise(self, places: Sequence[Place]) -> None:
        begun, batch = time.monotonic(), self.engine.start([place.request for place in places])
        begun_with = len(places)  # those that leave on the way make the others quicker
        self.metrics.batch_size.observe(begun_with)
        while not batch.done:
            places = self._alive(batch, places)
            if not places:
                return
            batch.step()
            self._tell(batch, places)
        denoised = time.monotonic()
        self.metrics.seconds.labels("denoising").observe(denoised - begun)
        self.queue.pace.measured(places[0].request, begun_with, denoised - begun)
        for job in {place.job for place in places}:
            job.timings["denoising"] += denoised - begun
        for place, latents in zip(places, batch.latents, strict=True):
            self._decode(place, latents)

    def _alive(self, batch: PictureBatch, places: Sequence[Place]) -> Sequence[Place]:
        """Return the places whose jobs still want their pictures, the others left out of the batch."""
        now = time.monotonic()
        for job in {place.job for place in places if now > place.job.deadline} | set(self.queue.expired()):
            expire(job)
            self.queue.drop(job)
        rows = [row for row, place in enumerate(places) if not place.job.ended]
        if 0 < len(rows) < len(places):
            batch.keep(rows)
        self.running = [places[row] for row in rows]
        return self.running

    def _tell(self, batch: PictureBatch, places: Sequence[Place]) -> None:
        for row, place in enumerate(places):
            place.job.taken[place.index] = batch.taken
            if place.job.previews_wanted and batch.guess is not None:
                place.job.previews[place.index] = self.engine.preview(batch.guess[row])
        for job in {place.job for place in places}:
            job.changed()

    def _decode(self, place: Place, latents: torch.Tensor) -> None:
        """Decode one picture; where that fails, its job alone does."""
        job, begun = place.job, time.monotonic()
        if job.ended:
            return
        try:
            job.pictures[place.index] = self.engine.picture(place.request, latents)
        except Exception as error:
            self._fail(job, self._told(error, [place]))
            return
        job.timings["decoding"] += time.monotonic() - begun
        self.metrics.seconds.labels("decoding").observe(time.monotonic() - begun)
        if all(picture is not None for picture in job.pictures):
            self.finish(job)


def expire(job: Job) -> None:
    """End a job whose time is over."""
    seconds = job.deadline - job.created
    job.end("cancelled", ServiceError(504, "time_limit", f"not done within {seconds:g} s; ask for less, or later"))


def told_of(error: Exception) -> ServiceError:
    """Return what a client is told of an error, without what only the log should hold."""
    if isinstance(error, ServiceError):
        return error
    if ran_out(error):
        return ServiceError(500, "out_of_memory", "the picture does not fit into memory; ask for a smaller one")
    if isinstance(error, NotFiniteError):
        return ServiceError(500, "not_finite", str(error))
    if isinstance(error, GenerationError):
        return ServiceError(422, "invalid_request", str(error))
    return ServiceError(500, "failed", "the picture could not be made; the log says why, by the request's id")


def _free_memory() -> None:
    gc.collect()
    with suppress(RuntimeError):  # of a device that is lost
        torch.cuda.empty_cache()
