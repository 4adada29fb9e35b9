"""Connections that do not send a request."""

import socket

import pytest
import requests

from gentra_lora.service.http import connections
from gentra_lora.service.http.connections import HEAD_BYTES
from tests.serving import running, settings_for
from tests.waiting import PATIENCE

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def impatient(serving_repo, tmp_path_factory):
    """A service that waits a second for a head."""
    patch = pytest.MonkeyPatch()
    patch.setattr(connections, "HEAD_SECONDS", 1)
    with running(settings_for(serving_repo, weights_dir=tmp_path_factory.mktemp("heads"))) as found:
        yield found
    patch.undo()


def connected(served):
    return socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), timeout=PATIENCE)


def ended(connection):
    """Return what arrives until the other side closes."""
    told = b""
    try:
        while part := connection.recv(4096):
            told += part
    except ConnectionResetError:
        pass
    return told


@pytest.mark.parametrize("begun", [b"", HEAD, HEAD + b"X-Long: "])
def test_head_that_does_not_end_in_time_closes_the_connection(impatient, begun):
    with connected(impatient) as connection:
        connection.sendall(begun)
        assert ended(connection) == b""


def test_second_head_of_a_connection_is_waited_for_no_longer(impatient):
    with connected(impatient) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD)
        assert b"200" not in ended(connection)


def test_head_without_end_is_refused_once_it_is_too_long(impatient):
    with connected(impatient) as connection:
        sent = 0
        try:
            connection.sendall(HEAD + b"X-Long: ")
            for _ in range(1000):
                sent += connection.send(b"x" * 16_384)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 100 * HEAD_BYTES


def test_body_may_take_longer_than_a_head(impatient):
    with connected(impatient) as connection:
        head = b"POST /v1/txt2img HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: 22\r\n\r\n")
        connection.settimeout(1.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE)
        connection.sendall(b'{"prompt": "a gentra"}')
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_many_half_heads_keep_no_one_else_waiting(impatient):
    held = [connected(impatient) for _ in range(100)]
    for connection in held:
        connection.sendall(HEAD)
    assert requests.get(f"{impatient.url}/healthz", timeout=PATIENCE).status_code == 200
    for connection in held:
        ended(connection)
        connection.close()
