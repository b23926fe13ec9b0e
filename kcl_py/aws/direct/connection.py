"""How does one request reach a server, and its answer come back? Sockets, TLS, time limits.

One call is one attempt: nothing here sends a request twice. Whatever fails becomes the exception
that botocore would raise, and ends the connection.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import botocore.exceptions as boto

from kcl_py.aws.direct.http import Answer, AnswerError, Reader, read_answer

IDLE_SECONDS_MAX: Final = 20.0
"""How long an unused connection is kept. Servers and what stands between close them too, at times
that nobody promises; a request that crosses with that is a failed call."""


FRESH_SECONDS: Final = 1.0
"""A server that answered so shortly ago, without a goodbye, is not asked whether it said it since:
that would be a system call, and a turn of the other threads, for every call of a busy worker. If it
did, the call fails, as it would if it did a moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where requests go, and how long they may take.

    Attributes:
        url: For messages: scheme, host and port.
        tls: None: plain HTTP, as an endpoint of the user's may be.
        connect_seconds: For each address of the host.
        read_seconds: The longest silence.
        total_seconds: For all of a call but the look-up of the name; None: no limit.
    """

    url: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_seconds: float
    read_seconds: float
    total_seconds: float | None = None


class Connection:
    """One connection. For one thread at a time."""

    def __init__(self, sock: socket.socket, read_seconds: float) -> None:
        self._socket = sock
        self._read_seconds = read_seconds
        self._deadline: float | None = None
        self._reader = Reader(self._receive)
        self._has_news = _watch(sock)
        # What TLS has opened already is no news to the socket below it.
        self._has_opened = sock.pending if isinstance(sock, ssl.SSLSocket) else lambda: 0
        self.used_at = time.monotonic()

    @classmethod
    def open(cls, place: Place, deadline: float | None) -> Connection:
        """Connect, and agree on TLS.

        Raises:
            OSError: No address can be reached, the name is unknown, or TLS failed.
        """
        sock = _connect(place, deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if place.tls is not None:
                sock.settimeout(_left(place.connect_seconds, deadline))
                sock = place.tls.wrap_socket(sock, server_hostname=place.host)
            sock.settimeout(place.read_seconds)
            return cls(sock, place.read_seconds)
        except BaseException:
            sock.close()
            raise

    def ask(self, request: bytes, deadline: float | None) -> Answer:
        """Send a request once, and read its answer.

        Raises:
            OSError: The connection failed, or time was up.
            AnswerError: What came is no whole answer.
        """
        self._deadline = deadline
        if deadline is not None:
            self._socket.settimeout(_left(self._read_seconds, deadline))
        self._socket.sendall(request)
        answer = read_answer(self._reader)
        self.used_at = time.monotonic()
        return answer

    def is_usable(self, now: float) -> bool:
        """Is it young, and has the server said nothing since the last answer, not even goodbye?"""
        if self._has_opened():
            return False
        unused = now - self.used_at
        return unused < FRESH_SECONDS or (unused < IDLE_SECONDS_MAX and not self._has_news())

    def close(self) -> None:
        """Give it up. Never raises."""
        self._socket.close()

    def _receive(self, into: memoryview) -> int:
        if self._deadline is not None:
            self._socket.settimeout(_left(self._read_seconds, self._deadline))
        return self._socket.recv_into(into)


class Pool:
    """Connections to one place, the last used first, so that few stay busy. Thread-safe.

    Args:
        place: Where they lead.
        idle_max: How many wait for another call at most; more are closed after theirs.
    """

    def __init__(self, place: Place, idle_max: int) -> None:
        self.place = place
        self._idle_max = idle_max
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def ask(self, request: bytes) -> Answer:
        """Send a request, once.

        Raises:
            BotoCoreError: As botocore would; all but errors of connecting may come after the
                server has got the request.
        """
        place = self.place
        deadline = None
        if place.total_seconds is not None:
            deadline = time.monotonic() + place.total_seconds
        connection = self._take() or self._open(deadline)
        try:
            answer = connection.ask(request, deadline)
        except BaseException as error:
            connection.close()
            if isinstance(error, (OSError, AnswerError)):
                raise _broken(error, place.url) from None
            raise
        if answer.is_last:
            connection.close()
        else:
            self._keep(connection)
        return answer

    def close(self) -> None:
        """Close what is idle now, and all others after their calls."""
        with self._lock:
            self._is_closed = True
            closing, self._idle = self._idle, []
        for connection in closing:
            connection.close()

    def _take(self) -> Connection | None:
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.is_usable(now):
                return connection
            connection.close()

    def _keep(self, connection: Connection) -> None:
        closing: Connection | None = None
        with self._lock:
            if self._is_closed or len(self._idle) >= self._idle_max:
                closing = connection
            else:
                self._idle.append(connection)
                if connection.used_at - self._idle[0].used_at >= IDLE_SECONDS_MAX:
                    closing = self._idle.pop(0)
        if closing is not None:
            closing.close()

    def _open(self, deadline: float | None) -> Connection:
        url = self.place.url
        try:
            return Connection.open(self.place, deadline)
        except TimeoutError as error:
            raise boto.ConnectTimeoutError(endpoint_url=url, error=error) from None
        except ssl.SSLError as error:
            raise boto.SSLError(endpoint_url=url, error=error) from None
        except OSError as error:
            raise boto.EndpointConnectionError(endpoint_url=url, error=error) from None


def _broken(error: OSError | AnswerError, url: str) -> boto.BotoCoreError:
    if isinstance(error, TimeoutError):
        return boto.ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, ssl.SSLError):
        return boto.SSLError(endpoint_url=url, error=error)
    return boto.ConnectionClosedError(endpoint_url=url, error=error)


def _connect(place: Place, deadline: float | None) -> socket.socket:
    problem: OSError = OSError("the name has no address")
    found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(place.connect_seconds, deadline))
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def _left(seconds: float, deadline: float | None) -> float:
    """How long the next step may take; raises TimeoutError if that is no time at all."""
    if deadline is None:
        return seconds
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(seconds, left)


def _watch(sock: socket.socket) -> Callable[[], object]:
    """Return a question: is there anything to read, be it the end?"""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLERR | select.POLLHUP)
        return partial(poll.poll, 0)
    return lambda: select.select([sock], [], [], 0)[0]  # Windows
