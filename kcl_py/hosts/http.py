"""What does an address on this machine answer? One request, bounded in time and size.

By the standard library and without proxies: a link-local address means this machine, and must be
asked by it. Nothing is tried again in here; whoever asks knows when to ask again.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

from kcl_py.hosts.notices import NoAnswer

TIMEOUT_SECONDS: Final = 1.0
"""Of everything together, from connecting to the last byte. Source: as botocore asks for roles."""

BODY_BYTES_MAX: Final = 1024 * 1024
"""Task statistics of many containers are tens of kilobytes; everything else is shorter."""


SAID_LENGTH_MAX: Final = 200
"""Of what is told of an error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the body as text."""

    status: int
    body: str


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send one request. Redirects are answers like any other.

    Args:
        url: Begins with http://.
        method: GET or PUT, without a body.
        headers: More headers.
        timeout: Seconds for all of it.

    Raises:
        NoAnswer: Nobody answers, not in time, too much, or not in HTTP.
    """
    deadline = time.monotonic() + timeout
    parts = _parts(url)
    try:
        host, port = parts.hostname or "", parts.port or 80
        with socket.create_connection((host, port), timeout) as connection:
            connection.sendall(_request(method, parts, headers or {}))
            response = HTTPResponse(cast("Any", _Timed(connection, deadline)), method=method)
            response.begin()
            body = response.read(BODY_BYTES_MAX + 1)
    except TimeoutError:
        raise NoAnswer(f"{url} did not answer within {timeout:g} s") from None
    except (OSError, ValueError, HTTPException) as error:
        said = f"{type(error).__name__}: {error}"[:SAID_LENGTH_MAX].strip()  # may quote the answer
        raise NoAnswer(f"{url}: {said}") from None
    if len(body) > BODY_BYTES_MAX:
        raise NoAnswer(f"{url} answers more than {BODY_BYTES_MAX} bytes")
    if response.length:
        raise NoAnswer(f"{url} broke off in the middle of its answer")
    return Answer(response.status, body.decode("utf-8", errors="replace"))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise NoAnswer(f"{url!r} is no address") from None
    if parts.scheme != "http" or not parts.hostname:
        raise NoAnswer(f"{url!r} is no address that begins with http://")
    return parts


def _request(method: str, parts: SplitResult, headers: Mapping[str, str]) -> bytes:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    if method == "PUT":
        lines.append("Content-Length: 0")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Timed(io.RawIOBase):
    """Reads of a socket that end at one time, however slowly the bytes drip."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What an HTTPResponse asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer, as io says
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
