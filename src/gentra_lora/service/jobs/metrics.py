"""What Prometheus reads of one service."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class ServiceMetrics:
    """Counters of one service, in a registry of their own, with the process's memory, CPU time and open files."""

    def __init__(self) -> None:
        disable_created_metrics()  # a second line for each, of when it began
        registry = self.registry = CollectorRegistry()
        self.requests = Counter("gentra_requests", "HTTP requests", ["route", "status"], registry=registry)
        self.rejections = Counter("gentra_rejections", "Requests refused, by code", ["code"], registry=registry)
        self.failures = Counter("gentra_failures", "Pictures that failed, by code", ["code"], registry=registry)
        self.pictures = Counter("gentra_pictures", "Pictures made", ["mode"], registry=registry)
        self.seconds = Histogram(
            "gentra_phase_seconds",
            "queued, denoising (of a batch), decoding, encoding",
            ["phase"],
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "gentra_batch_pictures", "Pictures denoised side by side", buckets=(1, 2, 4, 8, 16), registry=registry
        )
        self.waiting = Gauge("gentra_jobs_waiting", "Jobs in the queue", registry=registry)
        self.running = Gauge("gentra_pictures_running", "Pictures at work", registry=registry)
        self.ready = Gauge("gentra_ready", "1 where pictures are served", registry=registry)
        self.revision = Gauge("gentra_revision", "1 for what is served", ["commit", "sha256"], registry=registry)
        self.reloads = Counter("gentra_reloads", "Reloads", ["outcome"], registry=registry)
        ProcessCollector(registry=registry)

    def observe(self, waiting: Callable[[], int], running: Callable[[], int], ready: Callable[[], bool]) -> None:
        """Let the gauges ask whenever they are read: for jobs that wait, pictures at work, whether there is service."""
        self.waiting.set_function(waiting)
        self.running.set_function(running)
        self.ready.set_function(ready)

    def text(self) -> bytes:
        """Return Prometheus' text."""
        return generate_latest(self.registry)
