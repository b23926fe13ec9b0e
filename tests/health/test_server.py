"""Does the server answer those who ask properly, whatever the others do?"""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcl_py.errors import ConfigError
from kcl_py.health.beat import steady
from kcl_py.health.server import CLIENT_SECONDS, CLIENTS_MAX, REQUEST_BYTES_MAX, Answer, Server

PATIENCE = 10.0
LARGE = "x" * 5_000_000


others_answered = threading.Event()


def pieces() -> Iterator[str]:
    for _ in range(1_000_000):
        yield "more,"
        if others_answered.is_set():
            break


def breaks() -> Iterator[str]:
    yield "one,"
    raise ValueError("secret")


def fails() -> Iterator[str]:
    raise ValueError("secret")
    yield ""


ANSWERS: dict[str, Callable[[], Answer]] = {
    "/well": lambda: Answer(200, "yes\n"),
    "/large": lambda: Answer(200, LARGE),
    "/odd": lambda: Answer(200, "\udc80\n"),
    "/pieces": lambda: Answer(200, pieces()),
    "/short": lambda: Answer(200, iter(("one,", "two"))),
    "/breaks": lambda: Answer(200, breaks()),
    "/fails": lambda: Answer(200, fails()),
}


def answer(path: str) -> Answer | None:
    if path == "/raises":
        raise ValueError("secret")
    give = ANSWERS.get(path)
    return None if give is None else give()


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


def test_a_long_answer_comes_in_pieces_and_others_are_answered_between(server: Server) -> None:
    others_answered.clear()
    with connect(server) as long, ThreadPoolExecutor(1) as pool:
        long.sendall(b"GET /pieces HTTP/1.1\r\n\r\n")
        reading = pool.submit(everything, long)
        try:
            assert all(ask(server).endswith(b"yes\n") for _ in range(5))
            assert not reading.done()
        finally:
            others_answered.set()
        got = reading.result(PATIENCE)

    assert b"Transfer-Encoding: chunked" in got
    assert got.endswith(b"5\r\nmore,\r\n0\r\n\r\n")


def test_a_long_answer_of_the_old_protocol_ends_with_its_connection(server: Server) -> None:
    got = ask(server, b"GET /short HTTP/1.0\r\n\r\n")

    assert b"chunked" not in got
    assert got.endswith(b"\r\n\r\none,two")


def test_what_fails_at_once_has_a_code_and_what_fails_later_has_no_end(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(server, b"GET /fails HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 500 ")
    got = ask(server, b"GET /breaks HTTP/1.1\r\n\r\n")

    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"4\r\none,\r\n")
    assert [each.message for each in caplog.records] == ["health.answer_failed"] * 2
    assert ask(server).endswith(b"yes\n")


def test_text_that_cannot_be_encoded_ends_no_server(server: Server) -> None:
    assert ask(server, b"GET /odd HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n?\n")
    assert ask(server).endswith(b"yes\n")


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /well HTTP/1.1\r\n\r\n" * 200,
        b"POST /well HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000,
        b"GET /well HTTP/1.1\r\nCookie: " + b"x" * 60_000 + b"\r\n\r\n",
    ],
)
def test_whoever_says_more_than_is_heard_gets_its_answer_all_the_same(
    server: Server, asked: bytes
) -> None:
    with connect(server) as sock:
        sock.sendall(asked)
        got = b""
        while part := sock.recv(65536):  # a connection that is reset would raise
            got += part

    assert got.count(b"HTTP/1.1 ") == 1


def test_whoever_never_hangs_up_is_dropped(server: Server, clock: Jumps) -> None:
    with connect(server) as sock:
        sock.sendall(b"GET /well HTTP/1.1\r\n\r\n")
        assert everything(sock).endswith(b"yes\n")
        assert len(server._clients) == 1
        clock.ahead = CLIENT_SECONDS + 1
        assert ask(server).endswith(b"yes\n")
        clock.ahead *= 2
        while server._clients:
            ask(server)
            clock.ahead += CLIENT_SECONDS


def test_whoever_goes_on_talking_is_not_heard_for_ever(server: Server) -> None:
    def talk(sock: socket.socket) -> None:
        while True:
            sock.sendall(b"x" * 65536)

    with connect(server) as sock:
        sock.sendall(b"GET /well HTTP/1.1\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            talk(sock)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_holds_neither_port_nor_connection(server: Server) -> None:
    go_on, gone = os.pipe()
    with connect(server) as sock:
        sock.sendall(b"GET /we")
        ask(server)  # by now it was accepted
        child = os.fork()
        if child == 0:
            os.close(gone)
            os.read(go_on, 1)
            os._exit(0)
        try:
            server.close()
            assert everything(sock) == b""
            Server("127.0.0.1", server.port, answer, steady).close()
        finally:
            os.close(gone)
            os.close(go_on)
            os.waitpid(child, 0)


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "no.such.host.invalid"])
def test_a_host_that_is_no_name_is_a_clear_error(host: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be listened on .*; set health\.host to"):
        Server(host, 0, answer, steady)


@settings(max_examples=150, deadline=None, suppress_health_check=[*HealthCheck])
@given(asked=st.binary(max_size=300) | st.from_regex(rb"(GET|HEAD|PUT) /\w* HTTP/[0-9.]*(\r?\n)+"))
def test_no_bytes_end_the_server(server: Server, asked: bytes) -> None:
    with connect(server) as sock:
        sock.sendall(asked)
        sock.shutdown(socket.SHUT_WR)
        got = everything(sock)

    assert got == b"" or got.startswith(b"HTTP/1.1 ")
    assert ask(server).endswith(b"yes\n")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (
            errno.EADDRINUSE,
            "`ss -ltnp 'sport = :80'` shows who has it: end that, or choose another",
        ),
        (errno.EACCES, "choose a port from 1024 on"),
        (errno.EADDRNOTAVAIL, "set health.host to an address of this machine"),
        (errno.EAFNOSUPPORT, "set health.host to an address of this machine"),
    ],
)
def test_each_reason_not_to_listen_has_its_own_way_out(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def bind(_sock: socket.socket, _address: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("kcl_py.health.port.socket.socket.bind", bind)
    with pytest.raises(ConfigError, match=re.escape(words)):
        Server("127.0.0.1", 80, answer, steady)


def test_it_listens_on_the_loopback_of_ipv6_too() -> None:
    try:
        server = Server("::1", 0, answer, steady)
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    try:
        with socket.create_connection(("::1", server.port), PATIENCE) as sock:
            sock.sendall(b"GET /well HTTP/1.1\r\n\r\n")
            assert everything(sock).endswith(b"yes\n")
    finally:
        server.close()
