"""The examples of what is served, fetched once, when somebody first asks for them."""

import logging
import threading
from concurrent.futures import Future

from gentra_lora.revisions.examples import Example, examples_beside, pull_examples
from gentra_lora.service.jobs.lifecycle import settle
from gentra_lora.service.jobs.revision import PULLING, Revision
from gentra_lora.service.settings import ServiceSettings

log = logging.getLogger(__name__)


class Examples:
    """Finds the examples of a revision and keeps those of the last one."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Hold where the weights came from."""
        self.settings = settings
        self._lock = threading.Lock()
        self._asked: tuple[str, Future[list[Example]]] | None = None  # sha256 of the weights, their examples

    def of(self, revision: Revision) -> Future[list[Example]]:
        """Return a revision's examples to be waited for; none where they cannot be had, and the log says why."""
        sha256 = revision.file["sha256"]
        with self._lock:
            if self._asked is None or self._asked[0] != sha256:
                future: Future[list[Example]] = Future()
                self._asked = (sha256, future)
                work = threading.Thread(
                    target=settle, args=(future, lambda: self._find(revision, sha256)), name="examples", daemon=True
                )
                work.start()
            return self._asked[1]

    def _find(self, revision: Revision, sha256: str) -> list[Example]:
        settings = self.settings
        try:
            if settings.weights:
                return examples_beside(settings.weights, sha256)
            if revision.commit is None:
                return []
            with PULLING:
                return pull_examples(settings.repo, revision.commit, sha256, settings.remote, settings.credentials)
        except Exception as error:  # a page without examples is still one
            log.warning("no examples: %s", error)
            return []
