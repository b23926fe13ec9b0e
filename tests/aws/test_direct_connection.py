"""Connections are kept while they are good, ended when in doubt, and no request is sent twice."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import botocore.exceptions as boto
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.aws.direct import connection as module
from kcl_py.aws.direct.connection import Connection, Place, Pool
from tests.aws.loopback import (
    Asked,
    Loopback,
    Play,
    answer,
    head,
    is_silent,
    make_certificate,
    resets,
    says,
    says_and_closes,
)

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
WELL = answer({})


def place_of(server: Loopback, **changes: Any) -> Place:
    settings: dict[str, Any] = {
        "url": server.url,
        "host": "localhost",
        "port": server.port,
        "tls": None,
        "connect_seconds": 5.0,
        "read_seconds": 5.0,
        **changes,
    }
    return Place(**settings)


@contextmanager
def served(play: Play, idle_max: int = 4, **changes: Any) -> Iterator[tuple[Loopback, Pool]]:
    with Loopback(play) as server:
        pool = Pool(place_of(server, **changes), idle_max)
        yield server, pool
        pool.close()


def says_whole(sock: socket.socket, asked: Asked) -> bool:
    sock.sendall(answer(asked.body))
    return True


def says_in_chunks(sock: socket.socket, asked: Asked) -> bool:
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    sock.sendall(start + b"%x\r\n%b\r\n0\r\n\r\n" % (len(asked.body), asked.body))
    return True


def says_goodbye(sock: socket.socket, asked: Asked) -> None:
    sock.sendall(answer(asked.body, Connection="close"))


def says_too_much(sock: socket.socket, asked: Asked) -> bool:
    sock.sendall(answer(asked.body) + answer(b"of nobody"))
    return True


def says_half(sock: socket.socket, asked: Asked) -> None:
    sock.sendall(answer(asked.body)[:-1])


WAYS: dict[str, Play] = {
    "whole": says_whole,
    "chunks": says_in_chunks,
    "goodbye": says_goodbye,
    "too much": says_too_much,
    "half": says_half,
    "reset": resets,
    "nothing": says_and_closes(b""),
}
WHOLE = {"whole", "chunks", "goodbye", "too much"}


def used(server: Loopback) -> list[int]:
    return [asked.connection for asked in server.asked]


def test_a_connection_serves_call_after_call() -> None:
    with served(says(WELL)) as (server, pool):
        for _ in range(3):
            assert pool.ask(REQUEST).body == b"{}"

        assert used(server) == [1, 1, 1]


def test_a_connection_that_the_server_closed_is_replaced_before_it_is_used() -> None:
    with served(says_and_closes(WELL)) as (server, pool):
        pool.ask(REQUEST)
        idle = pool._idle[0]
        idle.used_at -= module.FRESH_SECONDS
        while idle.is_usable(time.monotonic()):
            """Its goodbye is on its way."""

        pool.ask(REQUEST)

        assert used(server) == [1, 2]


def test_one_that_answered_just_now_is_used_without_asking_and_its_end_is_a_failed_call() -> None:
    with served(says_and_closes(WELL)) as (server, pool):
        pool.ask(REQUEST)
        with pytest.raises(boto.ConnectionClosedError):
            pool.ask(REQUEST)

        pool.ask(REQUEST)

        assert used(server) == [1, 2]


@pytest.mark.parametrize(
    "raw", [answer({}, Connection="close"), answer({}) + b"HTTP/1.1 200 OK\r\n"]
)
def test_a_connection_that_ends_or_says_too_much_is_not_kept(raw: bytes) -> None:
    with served(says(raw)) as (server, pool):
        pool.ask(REQUEST)
        pool.ask(REQUEST)

        assert used(server) == [1, 2]


def test_an_old_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(says(WELL)) as (server, pool):
        pool.ask(REQUEST)
        pool._idle[0].used_at -= module.IDLE_SECONDS_MAX

        pool.ask(REQUEST)

        assert used(server) == [1, 2]


def test_the_last_used_goes_first_and_the_oldest_is_closed() -> None:
    with served(says(WELL)) as (server, pool):
        first, second = (Connection.open(pool.place, None) for _ in range(2))
        for connection in (first, second):
            connection.ask(REQUEST, None)
        first.used_at -= module.IDLE_SECONDS_MAX + 1
        pool._idle = [first]
        pool._keep(second)
        assert pool._idle == [second]
        assert first._socket.fileno() == -1

        pool.ask(REQUEST)

        assert used(server)[2] == used(server)[1]


def test_no_more_than_some_wait() -> None:
    with served(says(WELL), idle_max=1) as (_, pool):
        connections = [Connection.open(pool.place, None) for _ in range(3)]
        for connection in connections:
            pool._keep(connection)

        assert pool._idle == connections[:1]
        assert [connection._socket.fileno() == -1 for connection in connections[1:]] == [True] * 2


def test_a_closed_pool_keeps_nothing() -> None:
    with served(says(WELL)) as (_, pool):
        pool.ask(REQUEST)
        kept = pool._idle[0]

        pool.close()
        assert kept._socket.fileno() == -1

        assert pool.ask(REQUEST).status == 200
        assert pool._idle == []


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (says_and_closes(b""), boto.ConnectionClosedError),
        (says_and_closes(head(100) + b"{"), boto.ConnectionClosedError),
        (says(b"SSH-2.0-server\r\n\r\n"), boto.ConnectionClosedError),
        (resets, boto.ConnectionClosedError),
    ],
)
def test_a_failed_call_is_sent_once_and_ends_its_connection(
    play: Play, error: type[Exception]
) -> None:
    with served(says(WELL)) as (server, pool):
        pool.ask(REQUEST)
        server.play = play

        with pytest.raises(error) as caught:
            pool.ask(REQUEST)

        assert str(server.port) in str(caught.value)
        assert used(server) == [1, 1]
        assert pool._idle == []


def test_silence_ends_a_call() -> None:
    with served(is_silent, read_seconds=0.05) as (server, pool):
        with pytest.raises(boto.ReadTimeoutError):
            pool.ask(REQUEST)

        assert used(server) == [1]


def test_an_answer_that_trickles_ends_with_the_time_of_the_call() -> None:
    def trickles(sock: socket.socket, _asked: Asked) -> None:
        sock.sendall(head(1_000_000))
        while True:
            sock.sendall(b"x")
            time.sleep(0.005)

    with (
        served(trickles, read_seconds=60.0, total_seconds=0.2) as (server, pool),
        pytest.raises(boto.ReadTimeoutError),
    ):
        pool.ask(REQUEST)
    assert used(server) == [1]


def test_a_call_without_time_left_is_not_sent() -> None:
    with served(says(WELL)) as (server, pool):
        connection = Connection.open(pool.place, None)
        with pytest.raises(TimeoutError):
            connection.ask(REQUEST, time.monotonic() - 1)
        connection.close()
        late = Pool(place_of(server, total_seconds=-1.0), 1)

        with pytest.raises(boto.ConnectTimeoutError):
            late.ask(REQUEST)

    assert server.asked == []


def test_a_refused_port_and_an_unknown_name_are_no_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with served(says(WELL)) as (server, pool):
        server.stop_listening()
        with pytest.raises(boto.EndpointConnectionError):
            pool.ask(REQUEST)

        def unknown(*_args: object, **_settings: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(boto.EndpointConnectionError):
            pool.ask(REQUEST)


def test_each_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(says(WELL)) as (server, pool), ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()
        stack.close()
        family, kind = socket.AF_INET, socket.SOCK_STREAM
        found = [(family, kind, 0, "", deaf), (family, kind, 0, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)

        assert pool.ask(REQUEST).status == 200


def test_answers_of_many_threads_do_not_mix() -> None:
    def echoes(sock: socket.socket, asked: Asked) -> bool:
        sock.sendall(answer(asked.body))
        return True

    def run(number: int) -> None:
        for turn in range(30):
            body = b"%d-%d" % (number, turn) * 50
            head_of = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
            if pool.ask(head_of + body).body == body:
                right.append(number)

    right: list[int] = []
    with served(echoes, idle_max=3) as (server, pool):
        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert len(right) == 180
        assert len(server.asked) == 180
        assert len(pool._idle) <= 3


@given(st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_a_server_does_an_answer_is_ones_own_and_no_request_is_sent_twice(
    ways: list[str],
) -> None:
    left = iter(ways)

    def acts(sock: socket.socket, asked: Asked) -> object:
        return WAYS[next(left)](sock, asked)

    with served(acts, idle_max=2) as (server, pool):
        for number, way in enumerate(ways):
            body = b'{"request": %d}' % number * 40
            try:
                got = pool.ask(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            except boto.BotoCoreError:
                assert way not in WHOLE
            else:
                assert way in WHOLE
                assert got.body == body

        sent = [asked.body for asked in server.asked]
        assert len(sent) == len(set(sent)) <= len(ways)


def test_tls_is_trusted_only_for_its_names(tmp_path: Path) -> None:
    certificate, context = make_certificate(tmp_path, "DNS:localhost")
    trusting = ssl.create_default_context(cafile=str(certificate))
    whole = answer({"a": "x" * 200_000})
    with Loopback(says(whole), tls=context) as server:
        pool = Pool(place_of(server, tls=trusting), 4)
        for _ in range(3):
            assert whole.endswith(pool.ask(REQUEST).body)
        assert used(server) == [1, 1, 1]
        pool.close()

        for wrong in (
            place_of(server, tls=trusting, host="127.0.0.1"),
            place_of(server, tls=ssl.create_default_context()),
        ):
            with pytest.raises(boto.SSLError):
                Pool(wrong, 1).ask(REQUEST)
        assert len(server.asked) == 3


def test_what_tls_has_opened_beyond_an_answer_ends_the_connection(tmp_path: Path) -> None:
    certificate, context = make_certificate(tmp_path, "DNS:localhost")
    # The last record holds the end of the body, read to its last byte, and one byte more.
    raw = answer({"a": "x" * 200_000}) + b"?"
    with Loopback(says(raw), tls=context) as server:
        trusting = ssl.create_default_context(cafile=str(certificate))
        pool = Pool(place_of(server, tls=trusting), 4)

        for _ in range(2):
            assert raw[:-1].endswith(pool.ask(REQUEST).body)

        assert used(server) == [1, 2]
        pool.close()
