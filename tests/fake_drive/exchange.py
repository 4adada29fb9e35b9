"""The HTTP of a connection: requests read and logged, struck by a fault or answered."""

import socket
import sys
import time
from http.server import BaseHTTPRequestHandler

from .messages import FORM, html_error, pairs, read_request


class Connection(BaseHTTPRequestHandler):
    """A client's connection, whose socket the server can close."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together
    disable_nagle_algorithm = True  # 40 ms per response otherwise

    def setup(self):
        super().setup()
        self.server.sockets.add(self.connection)

    def handle(self):
        if not self.server.stopping:  # else its socket may have come too late to be closed by the server
            super().handle()

    def finish(self):
        self.server.sockets.discard(self.connection)
        super().finish()

    def send(self, response, part=None):
        """Send a response whole, or its headers and the first `part` bytes of its body."""
        self.send_response(response.status)
        for name, value in ({"Content-Length": len(response.body)} | response.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body[:part])

    def log_message(self, *_):
        """Print nothing: the log of the server has it all."""


class Exchange(Connection):
    """The requests that come through a tunnel, until the client closes it."""

    def __init__(self, connection, address, server, host):
        self.host = host
        super().__init__(connection, address, server)

    def handle_request(self):
        request = read_request(self.command, self.host, self.path, self.headers)
        self.server.log.append(request)
        try:
            self._exchange(request)
        except TimeoutError:
            self.close_connection = True
            self._reply(request, html_error(408, "Request Timeout"))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def _exchange(self, request):
        body = self._override(request) if "x-http-method-override" in request.headers else None
        self.server.faults.strike(request)
        time.sleep(self.server.latency)
        if request.fault != "dropped":
            self._reply(request, self.server.api.answer(request, self._body(request) if body is None else body))
            return
        self.close_connection = True
        if request.body_size:
            self.rfile.read(request.body_size // 2)
        else:
            response = self.server.api.answer(request, b"")
            self.send(response, part=len(response.body) // 2)

    def _reply(self, request, response):
        request.status = response.status
        self.send(response)

    def _body(self, request):
        """Return the whole body.

        Raises:
            TimeoutError: where the rest does not come in time.
            ConnectionError: where the client is gone.
        """
        if request.body_size and sys.platform == "linux":
            # httplib2 holds the body back until its headers are acknowledged, which takes 40 ms otherwise.
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.connection.settimeout(self.server.patience)
        body = self.rfile.read(request.body_size)
        self.connection.settimeout(None)
        if len(body) < request.body_size:
            raise ConnectionError(f"{request.line} broke off")
        return body

    def _override(self, request):
        """Return the query that was too long for a request line, and take the request for what it stands for."""
        body = self._body(request)
        request.method, request.overridden = request.headers["x-http-method-override"], True
        if request.headers.get("content-type", "").startswith(FORM):
            request.query |= pairs(body.decode())
        return body
