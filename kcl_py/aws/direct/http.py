"""What did a server answer? HTTP/1.1 as a client of one request at a time reads it.

Nothing here knows sockets: bytes come from a function. What is not whole, or not understood, is an
error and never a short answer. Source: RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

BUFFER_BYTES: Final = 64 * 1024
"""Also the longest head; servers of AWS send less than 1 KiB."""

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A page is 10 MiB of data at most, which is 14 MiB in base64, and 10 000 records around it."""

INTERIM_MAX: Final = 4
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\x00\r\n]*)?")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class AnswerError(Exception):
    """What came is no whole answer; the message holds no part of it."""


class Head(NamedTuple):
    """Status and headers; names in lower case, without repetitions that contradict."""

    status: int
    headers: dict[bytes, bytes]
    is_old: bool
    """HTTP/1.0: the connection ends unless the server says otherwise."""


class Answer(NamedTuple):
    """One whole answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes | bytearray
    is_last: bool
    """The connection must not be used again."""


class Reader:
    """Bytes in order, read ahead into one buffer that is used again for every answer.

    Args:
        receive: Fills a part of a buffer, and returns how much it filled; 0: no more will come.
    """

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._receive = receive
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    @property
    def is_drained(self) -> bool:
        """Nothing was received beyond what was read."""
        return self._start == self._end

    def until(self, marker: bytes) -> bytes:
        """Read up to a marker, which is read too and not returned."""
        seen = self._start
        while (found := self._buffer.find(marker, seen, self._end)) < 0:
            unread = self._end - self._start
            self._more()
            seen = self._start + max(0, unread - len(marker) + 1)
        piece = bytes(self._view[self._start : found])
        self._start = found + len(marker)
        return piece

    def exactly(self, count: int) -> bytes | bytearray:
        """Read so many bytes; what is not here yet is received where it stays."""
        there = min(count, self._end - self._start)
        ready = self._view[self._start : self._start + there]
        self._start += there
        if there == count:
            return bytes(ready)
        whole = bytearray(count)
        view = memoryview(whole)
        view[:there] = ready
        while there < count:
            there += self._received(view[there:])
        return whole

    def rest(self, limit: int) -> bytearray:
        """Read all until the server closes."""
        whole = bytearray(self._view[self._start : self._end])
        while len(whole) <= limit:
            self._start, self._end = 0, self._receive(self._view)
            if self._end == 0:
                return whole
            whole += self._view[: self._end]
            self._start = self._end
        raise AnswerError("a body that is too long")

    def _more(self) -> None:
        if self._start:
            unread = self._end - self._start
            self._buffer[:unread] = self._buffer[self._start : self._end]
            self._start, self._end = 0, unread
        if self._end == BUFFER_BYTES:
            raise AnswerError("a head or a line that is too long")
        self._end += self._received(self._view[self._end :])

    def _received(self, into: memoryview) -> int:
        count = self._receive(into)
        if count == 0:
            raise AnswerError("the connection ended within the answer")
        return count


def read_answer(reader: Reader) -> Answer:
    """Read the answer to a POST.

    Raises:
        AnswerError: It ended too early, is too long, or is no HTTP.
    """
    for _ in range(INTERIM_MAX):
        head = parse_head(reader.until(b"\r\n\r\n"))
        if head.status >= 200:  # noqa: PLR2004 - below are interim answers, which have no body
            break
    else:
        raise AnswerError("interim answers without end")
    headers = head.headers
    says = headers.get(b"connection", b"").lower()
    is_last = b"close" in says or (head.is_old and b"keep-alive" not in says)
    if b"transfer-encoding" in headers:
        body: bytes | bytearray = _chunked(reader, headers)
    elif head.status in (204, 304):
        body = b""
    elif b"content-length" in headers:
        body = reader.exactly(_length(headers[b"content-length"]))
    else:
        body, is_last = reader.rest(BODY_BYTES_MAX), True
    # What came beyond its end belongs to no request of ours.
    return Answer(head.status, headers, body, is_last or not reader.is_drained)


def parse_head(head: bytes) -> Head:
    """Read status line and headers.

    Raises:
        AnswerError: They are none.
    """
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise AnswerError("a status line that is none")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise AnswerError("a header that is none")
        name, value = name.lower(), value.strip(b" \t")
        if headers.setdefault(name, value) != value:
            if name in (b"content-length", b"transfer-encoding"):
                raise AnswerError("headers that contradict each other")
            headers[name] += b", " + value
    return Head(int(status[2]), headers, status[1] == b"0")


def _length(said: bytes) -> int:
    if not _LENGTH.fullmatch(said):
        raise AnswerError("a length that is none")
    length = int(said)
    if length > BODY_BYTES_MAX:
        raise AnswerError("a body that is too long")
    return length


def _chunked(reader: Reader, headers: dict[bytes, bytes]) -> bytearray:
    if headers[b"transfer-encoding"].lower() != b"chunked" or b"content-length" in headers:
        raise AnswerError("an encoding that was not asked for")
    whole = bytearray()
    while True:
        line = _CHUNK.fullmatch(reader.until(b"\r\n"))
        if line is None:
            raise AnswerError("a chunk without its size")
        size = int(line[1], 16)
        if len(whole) + size > BODY_BYTES_MAX:
            raise AnswerError("a body that is too long")
        if size == 0:
            break
        whole += reader.exactly(size)
        if reader.exactly(2) != b"\r\n":
            raise AnswerError("a chunk that is longer than its size")
    while reader.until(b"\r\n"):
        """Trailers say nothing that we ask for."""
    return whole
