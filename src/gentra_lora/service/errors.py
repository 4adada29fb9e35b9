"""What the service answers where it does not answer with a picture."""

import re
from collections.abc import Iterable, Mapping

PATH = re.compile(r"(?<![\w:/.<-])(?:~|\.{1,2})?/(?:[^\s/:,;()'\"`]+/)*(?=\S)")


class ServiceError(Exception):
    """An answer's status, its code for programs, its sentence for people, and the field that is to blame."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        details: Iterable[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.param, self.details, self.headers = param, list(details), headers or {}

    def body(self, request_id: str) -> dict[str, object]:
        """Return the answer's JSON value; its inner part has the names that OpenAI's clients read."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error = {"type": kind, "code": self.code, "message": self.message, "param": self.param}
        return {"error": error | {"details": self.details}, "request_id": request_id}

    def body_of_a1111(self, request_id: str) -> dict[str, object]:
        """Return the answer's JSON value with the names that A1111's clients read, of which each knows some."""
        texts = {"error": self.code, "detail": self.message, "errors": self.message, "body": ""}
        return texts | {"param": self.param, "request_id": request_id}


def without_paths(text: str) -> str:
    """Return a text of ours with files by their names alone: answers do not tell where they lie.

    What repeats a client's words is left as it is: a slash in a prompt is no path.
    """
    return PATH.sub("", text.replace("file://", ""))


def not_ready(reason: str) -> ServiceError:
    """Return the answer while nothing can be served."""
    return ServiceError(503, "not_ready", reason, headers={"Retry-After": "5"})
