"""What goes in and out of the server: a request as the log keeps it, a response, and Google's two forms of an error."""

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

FORM = "application/x-www-form-urlencoded"


@dataclass
class Request:
    """A request without its body; `status` stays None where no answer was sent, `fault` names the one that struck."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    body_size: int = 0
    headers: dict[str, str] = field(default_factory=dict, repr=False)  # names in lower case
    overridden: bool = False  # a GET that was sent as POST, its query in the body
    status: int | None = None
    fault: str | None = None

    @property
    def line(self):
        """Return e.g. GET www.googleapis.com/drive/v2/files?q='root' in parents, nothing escaped."""
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.method} {self.host}{self.path}" + (f"?{query}" if query else "")

    @property
    def bearer(self):
        return self.headers.get("authorization", "").removeprefix("Bearer ")


def read_request(method, host, target, headers):
    """Return the Request of a request line and its headers."""
    url = urlsplit(target)
    headers = {name.lower(): value for name, value in headers.items()}
    return Request(method, host, url.path, pairs(url.query), int(headers.get("content-length", 0)), headers)


def pairs(text):
    """Return the names and values of a query or a form."""
    return dict(parse_qsl(text, keep_blank_values=True))


@dataclass
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_response(payload, status=200, headers=()):
    return Response(
        status, json.dumps(payload).encode(), {"Content-Type": "application/json; charset=UTF-8", **dict(headers)}
    )


def api_error(status, reason, message, domain="global", **location):
    """Return Drive's form of an error; PyDrive2 reads `reason` from the first of `errors`."""
    first = {"domain": domain, "reason": reason, "message": message, **location}
    return json_response({"error": {"errors": [first], "code": status, "message": message}}, status)


def oauth_error(status, error, description):
    return json_response({"error": error, "error_description": description}, status)


def html_error(status, name):
    """Return the page of Google's front end, whose errors are not JSON."""
    page = f"<!DOCTYPE html>\n<html lang=en>\n<title>Error {status} ({name})!!1</title>\n<p>That\u2019s an error.\n"
    return Response(status, page.encode(), {"Content-Type": "text/html; charset=UTF-8"})


class Refused(Exception):
    """A request that ends with an error response."""

    def __init__(self, response):
        super().__init__(response.body.decode())
        self.response = response


def not_found(file_id):
    place = {"locationType": "other", "location": "file"}
    return Refused(api_error(404, "notFound", f"File not found: {file_id}", **place))


def invalid(location):
    place = {"locationType": "parameter", "location": location}
    return Refused(api_error(400, "invalid", "Invalid Value", **place))
