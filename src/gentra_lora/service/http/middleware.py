"""Around every request: its id, its log line, its key, the size of its body. Plain ASGI: streams stay streams."""

import base64
import hashlib
import json
import logging
import secrets
import time
import unicodedata
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gentra_lora.service.bodies.objects import JSON_BYTES
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http.guesses import Guesses
from gentra_lora.service.jobs.metrics import ServiceMetrics
from gentra_lora.service.openai.links import Links
from gentra_lora.service.settings import ServiceSettings

log = logging.getLogger("gentra_lora.service.access")
OPEN = ("/", "/favicon.ico", "/healthz", "/readyz", "/openapi.json")  # without a key, as is the page
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PHOTOS_IN_JSON = ("/v1/img2img", "/v1/jobs", "/sdapi/v1/img2img", "/sdapi/v1/png-info")
A1111 = "/sdapi/"
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories
LOGGED_PATH = 200  # characters
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """Gives each request an id, asks for a key, counts the body's bytes as they arrive, and writes a log line."""

    def __init__(
        self, app: ASGIApp, settings: ServiceSettings, metrics: ServiceMetrics, guesses: Guesses, links: Links
    ) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.keys, self.guesses, self.links = settings.keys(), guesses, links
        self.public = urlsplit(settings.public_url or "").netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, begun, status = secrets.token_hex(8), time.monotonic(), 499  # 499: the client went away
        scope.setdefault("state", {})["request_id"] = request_id
        scope["state"]["holder"] = client_of(scope)  # of places, of which each client has a few

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Content-Security-Policy"] = PAGE_POLICY
            await send(message)

        try:
            self.check(scope)
            await self.app(scope, self._counted(scope, receive), answer)
        except ServiceError as error:
            if error.code == "client_gone":
                status = 499
            else:
                await self._refuse(error, request_id, scope, receive, answer)
        except Exception as error:
            log.error("request %s failed", request_id, exc_info=error)
            if status != 499:  # the answer has begun
                raise
            told = ServiceError(500, "failed", "the service has a fault; the log says which, by the request's id")
            await self._refuse(told, request_id, scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, str(status)).inc()
            self._log(scope, request_id, status, time.monotonic() - begun)

    async def _refuse(self, error: ServiceError, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.metrics.rejections.labels(error.code).inc()
        body = error.body_of_a1111(request_id) if scope["path"].startswith(A1111) else error.body(request_id)
        await JSONResponse(body, error.status, error.headers)(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Refuse a request by its headers alone.

        Raises:
            ServiceError: 401, no key or a wrong one; 429, too many wrong ones; 403, from a page of another origin; 413,
                a body that says itself to be too large.
        """
        headers, path = Headers(scope=scope), scope["path"]
        if not self._served(headers.get("host", "")):
            raise ServiceError(
                403, "unknown_host", "this service is not known by that name; see the setting public_url"
            )
        origin = headers.get("origin")
        if origin and scope["method"] not in ("GET", "HEAD", "OPTIONS") and not self._known(origin, headers):
            raise ServiceError(403, "foreign_origin", f"pages of {origin} may not call this service")
        free = path in OPEN or path.startswith("/page/") or path == "/v1/admin/reload" or scope["method"] == "OPTIONS"
        if self.keys and not (free or self.links.opens(scope["method"], path, scope["query_string"].decode("latin-1"))):
            given = headers.get("x-api-key") or bearer_of(headers)
            if path.startswith(A1111):  # its clients know names and passwords alone
                given = given or password_of(headers)
            if not self.guesses.admits(client_of(scope), given, self.keys, "API key"):
                raise ServiceError(
                    401,
                    "unauthorized",
                    "give an API key as `Authorization: Bearer KEY`",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            scope["state"]["holder"] = hashlib.sha256(given.encode()).hexdigest()
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > self._most(scope):
            raise self._too_large(scope)

    def _served(self, host: str) -> bool:
        """Return whether a Host header is one of ours.

        A service for this machine alone is known by its names alone: another name may point here, too, and its pages
        would otherwise be of our own origin.
        """
        if self.settings.host not in LOOPBACK or host == self.public:
            return True
        parts = _parsed(f"//{host}")
        return parts is not None and parts.hostname in LOOPBACK

    def _known(self, origin: str, headers: Headers) -> bool:
        parts = _parsed(origin)
        return parts is not None and (
            parts.netloc in (headers.get("host"), self.public) or origin in self.settings.cors_origins
        )

    def _most(self, scope: Scope) -> int:
        kind = Headers(scope=scope).get("content-type", "").strip().lower()
        with_photo = kind.startswith("multipart/form-data") or scope["path"].startswith(PHOTOS_IN_JSON)
        return self.settings.max_upload_bytes if with_photo else JSON_BYTES

    def _too_large(self, scope: Scope) -> ServiceError:
        message = f"the body has more than {self._most(scope)} bytes; send a smaller one"
        return ServiceError(413, "too_large", message, headers={"Connection": "close"})

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most(scope):
                raise self._too_large(scope)
            return message

        return counted

    def _log(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        path = scope["path"] if len(scope["path"]) <= LOGGED_PATH else f"{scope['path'][:LOGGED_PATH]}..."
        line = {"request_id": request_id, "client": client_of(scope), "method": scope["method"], "path": path}
        line |= {"status": status, "ms": round(seconds * 1000, 1)}
        log.info("request", extra={"values": line | scope["state"].get("log", {})})


def client_of(scope: Scope) -> str:
    """Return the address of who sent a request; behind a proxy that is trusted, what that says."""
    return scope["client"][0] if scope.get("client") else "unknown"


def bearer_of(headers: Headers) -> str:
    """Return what `Authorization: Bearer` holds, the scheme in any case; empty for other schemes."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def password_of(headers: Headers) -> str:
    """Return the password of `Authorization: Basic`, under whatever name; empty where there is none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(value).decode().partition(":")[2] if scheme.lower() == "basic" else ""
    except ValueError:
        return ""


def _parsed(address: str) -> SplitResult | None:
    """Return the parts of an address, None where it is none."""
    try:
        parts = urlsplit(address)
        return parts if parts.hostname else None
    except ValueError:
        return None


class JsonLines(logging.Formatter):
    """A log record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the traceback where there is one."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "values", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return escaped(json.dumps(line, ensure_ascii=False))


def escaped(text: str) -> str:
    """Return a line of JSON in which nothing moves a terminal's cursor or turns the direction of what follows."""
    return "".join(json.dumps(sign)[1:-1] if unicodedata.category(sign) in UNSEEN else sign for sign in text)
