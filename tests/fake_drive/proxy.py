"""The CONNECT proxy: it ends TLS for Google's hosts itself and refuses all others."""

import contextlib
import socket
import sys
from socketserver import TCPServer, ThreadingMixIn

from .exchange import Connection, Exchange
from .messages import Request, Response


def is_google(host):
    return host == "accounts.google.com" or host.endswith(".googleapis.com")


class Proxy(ThreadingMixIn, TCPServer):
    """A thread for each connection; `log` has every request in the order of arrival."""

    request_queue_size = 128

    def __init__(self, context, api, faults, latency, patience):
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.context = context
        self.api = api
        self.faults = faults
        self.latency = latency
        self.patience = patience
        self.log = []
        self.errors = []
        self.sockets = set()
        self.stopping = False

    def handle_error(self, request, address):
        """Keep an error of our own for the end; that a client went away, or refused the certificate, is none."""
        if not isinstance(sys.exception(), OSError):
            self.errors.append(sys.exception())

    def stop(self):
        """Close every connection and wait for its thread.

        Raises:
            Exception: the first that a request raised here.
        """
        self.shutdown()
        self.stopping = True
        for connection in list(self.sockets):
            with contextlib.suppress(OSError):
                # Not the TLS socket's own shutdown: it takes the session away from the thread that reads.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.server_close()
        if self.errors:
            raise self.errors[0]


class Tunnel(Connection):
    """A connection to the proxy itself, where all but CONNECT to Google is refused."""

    def do_CONNECT(self):
        self.close_connection = True
        host = self.path.rpartition(":")[0]
        if not is_google(host):
            self.server.log.append(Request("CONNECT", host, "", {}, status=502))
            self.send(Response(502, f"{host} cannot be reached from here".encode()))
            return
        # As one piece: PySocks reads a line of it and throws away what else has come.
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()
        self.connection.settimeout(self.server.patience)
        with self.server.context.wrap_socket(self.connection, server_side=True) as connection:
            connection.settimeout(None)
            Exchange(connection, self.client_address, self.server, host)
