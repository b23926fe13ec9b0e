"""How do requests come in over HTTP/1.1, and answers go out?"""

from __future__ import annotations

import asyncio
from typing import Any

from kcl_py.local.front import Answer, Front, HttpRequest
from kcl_py.local.pushing import Push
from kcl_py.local.wire import encode_answer, encode_in_slices, encode_slice, is_long, join_slices

HOST = "127.0.0.1"
_HEAD_BYTES_MAX = 64 * 1024
_BODY_BYTES_MAX = 32 * 1024 * 1024
_ENDING_ROUNDS = 5
"""Of the loop: a connection that was just taken is made in two or three, and closed in one more."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BadHttp(Exception):
    """Not a request that this server understands; the connection ends."""


class Connection(asyncio.Protocol):
    """One client connection: requests one after the other, kept alive until either side closes."""

    def __init__(self, front: Front, connections: set[Connection]) -> None:
        self._front = front
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._body_bytes = 0
        self._is_busy = False
        self._is_full = False
        self._push: Push | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Called by asyncio."""
        self._transport = None
        self._connections.discard(self)
        if self._push is not None:
            self._push.stop()

    def pause_writing(self) -> None:
        """Called by asyncio: the client is slow."""
        self._is_full = True
        if self._push is not None:
            self._push.pause()

    def resume_writing(self) -> None:
        """Called by asyncio: what was written has gone out."""
        self._is_full = False
        if self._push is not None:
            self._push.resume()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._received += data
        self._take_next()

    def close(self) -> None:
        """End the connection once all is written; in a stream of events, at once."""
        if self._transport is None:
            return
        if self._push is None:
            self._transport.close()
        else:
            self._transport.abort()

    def _take_next(self) -> None:
        """Begin the next request, if it is complete and the one before is answered."""
        if self._is_busy or self._transport is None:
            return
        try:
            request = self._complete_request()
        except (BadHttp, ValueError):
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self.close()
            return
        if request is None:
            return
        self._is_busy = True
        self._follow(request)

    def _complete_request(self) -> HttpRequest | None:
        if self._head is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                if len(self._received) > _HEAD_BYTES_MAX:
                    raise BadHttp
                return None
            self._read_head(bytes(self._received[:end]))
            del self._received[: end + 4]
        if self._head is None or len(self._received) < self._body_bytes:
            return None
        body = bytes(self._received[: self._body_bytes])
        del self._received[: self._body_bytes]
        request = HttpRequest(*self._head, body)
        self._head = None
        return request

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004
            raise BadHttp
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        self._body_bytes = int(headers.get("content-length", "0"))
        if not 0 <= self._body_bytes <= _BODY_BYTES_MAX or "transfer-encoding" in headers:
            raise BadHttp
        if headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)
        self._head = (parts[0], parts[1].partition("?")[0], headers)

    def _follow(self, request: HttpRequest) -> None:
        plan = self._front.plan(request)
        later = asyncio.get_running_loop().call_later
        do = plan.do
        if plan.close_after is not None:
            if do is not None:
                do()
            later(plan.close_after, self.close)
        elif do is not None and plan.wait_before > 0:
            later(plan.wait_before, lambda: self._answer(do()))
        elif do is not None:
            self._answer(do())

    def _answer(self, answer: Answer) -> None:
        content = answer.content
        push = self._front.push(answer, self._write, self._end_push)
        if push is not None:
            self._begin_push(push)
        elif isinstance(content, bytes):
            self._send(answer, content)
        elif is_long(content):
            self._encode_on(answer, content, encode_in_slices(content), [])
        else:
            self._send(answer, encode_answer(content))

    def _begin_push(self, push: Push) -> None:
        if self._transport is None:
            push.stop()
            return
        self._push = push
        if self._is_full:
            push.pause()
        self._transport.write(self._front.stream_head())
        push.start()

    def _end_push(self) -> None:
        self._push = None
        self._next()

    def _write(self, content: bytes) -> None:
        if self._transport is not None:
            self._transport.write(content)

    def _encode_on(
        self, answer: Answer, content: dict[str, Any], left: list[list[Any]], done: list[bytes]
    ) -> None:
        """Encode one slice of a long answer, and let others have their turn before the next."""
        done.append(encode_slice(left[len(done)]))
        if len(done) < len(left):
            asyncio.get_running_loop().call_soon(self._encode_on, answer, content, left, done)
        else:
            self._send(answer, join_slices(content, done))

    def _send(self, answer: Answer, body: bytes) -> None:
        self._write(self._front.head(answer, body) + body)
        self._next()

    def _next(self) -> None:
        self._is_busy = False
        if self._received:
            self._take_next()


class Server:
    """Listens on 127.0.0.1, and nowhere else."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen.

        Returns:
            The port, which the system has chosen when it was 0.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._front, self._connections), HOST, port
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Take no more connections and end those there are."""
        if self._server is None:
            return
        self._server.close()
        for _ in range(_ENDING_ROUNDS):
            for connection in list(self._connections):
                connection.close()
            await asyncio.sleep(0)
        await self._server.wait_closed()
