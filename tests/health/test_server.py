"""Does the server answer those who ask properly, whatever the others do?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from kcl_py.errors import ConfigError
from kcl_py.health.beat import steady
from kcl_py.health.server import CLIENT_SECONDS, CLIENTS_MAX, REQUEST_BYTES_MAX, Answer, Server

PATIENCE = 10.0
LARGE = "x" * 5_000_000


def answer(path: str) -> Answer | None:
    if path == "/raises":
        raise ValueError("secret")
    return {"/well": Answer(200, "yes\n"), "/large": Answer(200, LARGE)}.get(path)


class Jumps:
    """A clock that goes on by itself and can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return steady() + self.ahead


@pytest.fixture
def clock() -> Jumps:
    return Jumps()


@pytest.fixture
def server(clock: Jumps) -> Iterator[Server]:
    server = Server("127.0.0.1", 0, answer, clock)
    yield server
    server.close()


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE)


def everything(sock: socket.socket) -> bytes:
    got = b""
    try:
        while part := sock.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def ask(server: Server, asked: bytes = b"GET /well HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    with connect(server) as sock:
        sock.sendall(asked)
        return everything(sock)


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        (b"GET /well HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /well?verbose=1 HTTP/1.0\n\n", b"HTTP/1.1 200 OK"),
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"POST /well HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
        (b"hello\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET /raises HTTP/1.1\r\n\r\n", b"HTTP/1.1 500 Internal Server Error"),
        (b"GET /" + b"x" * (REQUEST_BYTES_MAX + 4096), b"HTTP/1.1 431"),
    ],
)
def test_each_question_has_its_answer(server: Server, asked: bytes, first: bytes) -> None:
    got = ask(server, asked)

    assert got.startswith(first)
    assert b"secret" not in got


def test_a_body_is_told_its_length_and_a_head_has_none(server: Server) -> None:
    assert ask(server).endswith(
        b"Content-Length: 4\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nyes\n"
    )
    assert ask(server, b"HEAD /well HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_a_question_may_come_byte_by_byte(server: Server) -> None:
    with connect(server) as sock:
        for byte in b"GET /well HTTP/1.1\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert everything(sock).endswith(b"yes\n")


def test_a_large_answer_arrives_whole(server: Server) -> None:
    assert ask(server, b"GET /large HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n" + LARGE.encode())


def test_clients_that_say_nothing_or_read_nothing_hold_up_nobody(server: Server) -> None:
    silent = [connect(server) for _ in range(CLIENTS_MAX // 2)]
    deaf = [connect(server) for _ in range(CLIENTS_MAX // 4)]
    for sock in deaf:
        sock.sendall(b"GET /large HTTP/1.1\r\n\r\n")
    try:
        assert ask(server).endswith(b"yes\n")
    finally:
        for sock in silent + deaf:
            sock.close()

    assert ask(server).endswith(b"yes\n")


def test_of_too_many_clients_the_newest_are_served_by_one_thread(server: Server) -> None:
    threads = threading.active_count()
    silent = [connect(server) for _ in range(3 * CLIENTS_MAX)]
    try:
        assert ask(server).endswith(b"yes\n")
        assert len(server._clients) <= CLIENTS_MAX
        assert threading.active_count() == threads
    finally:
        for sock in silent:
            sock.close()


def test_a_client_is_dropped_when_its_time_is_over(server: Server, clock: Jumps) -> None:
    with connect(server) as sock:
        sock.sendall(b"GET /well")
        assert ask(server).endswith(b"yes\n")  # by now it was accepted
        clock.ahead = CLIENT_SECONDS + 1
        assert everything(sock) == b""


def test_a_port_that_is_taken_is_a_clear_error(server: Server) -> None:
    with pytest.raises(
        ConfigError, match=rf"health\.port = {server.port} on 127\.0\.0\.1 .*in use"
    ):
        Server("127.0.0.1", server.port, answer, steady)


def test_a_host_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"on 192\.0\.2\.1 cannot be listened on"):
        Server("192.0.2.1", 0, answer, steady)


def test_nothing_is_left_open_after_the_end(server: Server) -> None:
    server.close()

    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.1", server.port), 1).close()
