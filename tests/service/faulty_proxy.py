"""A proxy in front of a service that answers some requests itself, or breaks off: what the page must survive."""

import http.client
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on to the service at `target`, but for its `faults`: {"METHOD /path": [answer, ...]}.

    Each answer is used once: (status, code, message, headers), the bytes of a stream of events, or the word "cut", to
    break off the service's own stream after its first event. A path stands for all that begin with it.
    """

    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target, self.faults = urlsplit(target).netloc, {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, line):
        """Return the next answer for a request line, or None where the service is to answer."""
        for prefix, answers in self.faults.items():
            if line.startswith(prefix) and answers:
                return answers.pop(0)
        return None

    def handle_error(self, request, client_address):
        """Say nothing: the browser closes connections whenever it likes."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        fault = self.server.fault(f"{self.command} {self.path}")
        if isinstance(fault, tuple):
            self.refuse(*fault)
        elif isinstance(fault, bytes):
            self.answer(200, {"Content-Type": "text/event-stream"}, fault)
        else:
            self.pass_on(cut=fault == "cut")

    do_POST = do_DELETE = do_GET

    def refuse(self, status, code, message, headers):
        error = {"type": "error", "code": code, "message": message, "param": None, "details": []}
        content = json.dumps({"error": error, "request_id": "proxy"}).encode()
        self.answer(status, {"Content-Type": "application/json", **headers}, content)

    def answer(self, status, headers, content):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def pass_on(self, cut):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        service = http.client.HTTPConnection(self.server.target)
        service.request(self.command, self.path, body, dict(self.headers))
        with service.getresponse() as found:
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.end_headers()
            while chunk := found.read1(65536):
                self.wfile.write(chunk)
                if cut:
                    self.break_off()
                    break
        service.close()

    def break_off(self):
        """Reset the connection: without it, a stream that ends early looks like one that is over."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_):
        """Say nothing."""
