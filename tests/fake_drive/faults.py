"""Faults on demand: each strikes the next requests that match, then is spent."""

import re
from dataclasses import dataclass
from threading import Lock

from .messages import api_error, html_error, oauth_error

API = r"/drive/v2/"
CREATE = r"^POST .*/drive/v2/files($|\?)"
TRANSFER = r"^GET .*alt=media|^PUT .*/upload/"
TOKEN = r"^POST .*/token$"

RATE = (
    "User Rate Limit Exceeded. Rate of requests for user exceed configured project quota, you may consider "
    "re-evaluating expected per-user traffic to the API and adjust project quota limits accordingly."
)

# kind: (the requests that it can strike, the response); without a response the connection is cut.
KINDS = {
    "user_rate_limit": (API, api_error(403, "userRateLimitExceeded", RATE, "usageLimits")),
    "rate_limit": (API, api_error(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits")),
    "too_many_requests": (API, api_error(429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits")),
    "internal_error": (API, api_error(500, "internalError", "Internal Error")),
    "bad_gateway": (API, html_error(502, "Server Error")),
    "unavailable": (API, api_error(503, "backendError", "Backend Error")),
    "storage_quota": (
        CREATE,
        api_error(403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded."),
    ),
    # What v2 said instead in PyDrive2 issue 238.
    "quota": (
        CREATE,
        api_error(403, "quotaExceeded", "The user has exceeded their Drive storage quota", "usageLimits"),
    ),
    "unauthorized": (
        f"{API}(?!.*upload_id=)",  # a chunk needs no token, the id of its session is one
        api_error(401, "authError", "Invalid Credentials", locationType="header", location="Authorization"),
    ),
    "invalid_grant": (TOKEN, oauth_error(400, "invalid_grant", "Token has been expired or revoked.")),
    "dropped": (TRANSFER, None),
}


@dataclass
class Fault:
    kind: str
    times: int | None
    match: str

    def strikes(self, request):
        place = KINDS[self.kind][0]
        return self.times != 0 and bool(re.search(place, request.line) and re.search(self.match, request.line))


class Faults:
    """The faults that wait, the oldest first."""

    def __init__(self):
        self._lock = Lock()
        self._waiting = []

    def add(self, kind, times=1, match=""):
        if kind not in KINDS:
            raise ValueError(f"no fault is called {kind}; there are {', '.join(KINDS)}")
        with self._lock:
            self._waiting.append(Fault(kind, times, match))

    def strike(self, request):
        """Note in the request which fault it meets, and spend it once."""
        with self._lock:
            for fault in self._waiting:
                if fault.strikes(request):
                    request.fault = fault.kind
                    fault.times = fault.times and fault.times - 1
                    return
