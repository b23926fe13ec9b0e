"""How are a few small questions answered over HTTP, whatever the clients do?

One thread for all: a client that sends nothing, or reads nothing, holds up nobody, and a long
answer is made in pieces, so that others are answered between two of them. Each client has a
deadline and a limit on what it may send, and there is a limit on how many there are.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from kcl_py.health.port import BACKLOG, listen

REQUEST_BYTES_MAX: Final = 8 * 1024
CLIENT_SECONDS: Final = 5.0
"""From the beginning of a connection to the end of its question, and between two pieces of its
answer."""
ANSWER_SECONDS_MAX: Final = 30.0
"""For all pieces of an answer together, however steadily they are read."""
UNHEARD_BYTES_MAX: Final = 1024 * 1024
"""What a client may go on to say after its question."""
CLIENTS_MAX: Final = BACKLOG
"""With more the oldest is dropped: a new question is more likely to be a real one."""
LOOK_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 2.0
RECEIVE_BYTES: Final = 4096

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one path says.

    Attributes:
        body: A short text; of a long one its pieces, made when they are wanted, each quickly.
    """

    code: int
    body: str | Iterator[str]
    kind: str = "text/plain; charset=utf-8"


@dataclass(slots=True, eq=False)
class _Client:
    """One connection: it asks, is answered, and is listened to until it hangs up.

    Attributes:
        until: When it is dropped.
        latest: When it is dropped however it goes on.
        answer: What is left to send of this piece; None: it is still asking.
        pieces: What follows, ready to be sent.
        unheard: Bytes that it has said since.
        is_done: All is sent; what it says now is thrown away.
    """

    sock: socket.socket
    until: float
    latest: float
    asked: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None
    pieces: Iterator[bytes] = field(default_factory=lambda: iter(()))
    unheard: int = 0
    is_done: bool = False


class Server:
    """Listens from the moment that it is made; `close` ends it.

    Args:
        answer: Gives the answer of a path; None: there is no such path. Must be quick.
        now: A steady clock.

    Raises:
        PortTaken: Somebody else listens there.
        ConfigError: It cannot listen there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[str], Answer | None],
        now: Callable[[], float],
    ) -> None:
        self._answer = answer
        self._now = now
        self._listener = listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._ear, self._bell = socket.socketpair()
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._is_closing = threading.Event()
        _SERVERS.add(self)
        self._thread = threading.Thread(target=self._work, name="kcl-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and drop whoever is connected."""
        self._is_closing.set()
        with contextlib.suppress(OSError):
            self._bell.send(b"x")
        self._thread.join(CLOSE_SECONDS)

    def forget(self) -> None:
        """In a process that was forked from ours: hold neither the port nor a connection.

        Who is asked there has no thread that answers, and the port would stay taken after our end.
        """
        for each in (self._listener, *(client.sock for client in self._clients.values())):
            each.close()

    # ----------------------------------------------------------------------------------- the thread

    def _work(self) -> None:
        try:
            while not self._is_closing.is_set():
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.data is not None:
                        self._serve(key.data)
                self._drop_late()
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            for each in (self._listener, self._ear, self._bell):
                each.close()

    def _patience(self) -> float:
        if not self._clients:
            return LOOK_SECONDS
        first = min(client.until for client in self._clients.values())
        return min(max(first - self._now(), 0.0), LOOK_SECONDS)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:  # too many open files, or the client has gone: not at once again
            self._is_closing.wait(0.1)
            return
        sock.settimeout(0)
        if len(self._clients) >= CLIENTS_MAX:
            self._drop(next(iter(self._clients.values())))
        now = self._now()
        client = _Client(sock, now + CLIENT_SECONDS, now + ANSWER_SECONDS_MAX)
        self._clients[sock.fileno()] = client
        self._selector.register(sock, selectors.EVENT_READ, client)

    def _serve(self, client: _Client) -> None:
        if client.sock.fileno() not in self._clients:
            return  # dropped by an event before this one
        try:
            if client.is_done:
                self._hear_out(client)
            elif client.answer is None:
                self._hear(client)
            else:
                self._say(client, client.answer)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
        except Exception:  # noqa: BLE001 - a bug of ours ends one answer, not the server
            _log.error("health.answer_failed", exc_info=True, extra={"path": _path_of(client)})
            self._drop(client)

    def _hear(self, client: _Client) -> None:
        got = client.sock.recv(RECEIVE_BYTES)
        client.asked += got
        if not got:
            self._drop(client)
        elif b"\r\n\r\n" in client.asked or b"\n\n" in client.asked:
            self._reply(client, self._read(bytes(client.asked)))
        elif len(client.asked) > REQUEST_BYTES_MAX:
            self._reply(client, Answer(431, "too long\n"))

    def _hear_out(self, client: _Client) -> None:
        """Let it hang up: closed before it has said all, the answer might be taken from it."""
        got = len(client.sock.recv(RECEIVE_BYTES))
        client.unheard += got
        if not got or client.unheard > UNHEARD_BYTES_MAX:
            self._drop(client)

    def _read(self, asked: bytes) -> Answer:
        words = asked.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/"):  # noqa: PLR2004 - method, path, version
            return Answer(400, "this is no HTTP\n")
        if words[0] not in (b"GET", b"HEAD"):
            return Answer(405, "only GET\n")
        path = words[1].split(b"?", 1)[0].decode("latin-1")
        try:
            found = self._answer(path)
            if found is not None and not isinstance(found.body, str):
                # Its first piece now: what fails at once is still told by a code.
                found = replace(found, body=chain([next(found.body, "")], found.body))
        except Exception as error:  # noqa: BLE001 - as above
            _log.error("health.answer_failed", exc_info=True, extra={"path": path})
            found = Answer(500, f"{type(error).__name__}\n")
        return found or Answer(404, "there is nothing here\n")

    def _reply(self, client: _Client, answer: Answer) -> None:
        # HTTP/1.0 knows no pieces: there the end of the connection is the end of the answer.
        knows_pieces = b" HTTP/1.0" not in client.asked.split(b"\n", 1)[0]
        if isinstance(answer.body, str):
            body = answer.body.encode("utf-8", "replace")
            length, pieces = f"Content-Length: {len(body)}\r\n", iter((body,))
        else:
            length = "Transfer-Encoding: chunked\r\n" if knows_pieces else ""
            pieces = _spelled(answer.body, as_chunks=knows_pieces)
        head = (
            f"HTTP/1.1 {answer.code} {_REASONS[answer.code]}\r\nContent-Type: {answer.kind}\r\n"
            f"{length}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        ).encode()
        if not client.asked.startswith(b"HEAD "):
            client.pieces = pieces
        client.answer = memoryview(head)
        self._selector.modify(client.sock, selectors.EVENT_WRITE, client)
        self._say(client, client.answer)

    def _say(self, client: _Client, left: memoryview) -> None:
        """Send what there is; of a long answer the next piece waits until others were looked at."""
        client.answer = left[client.sock.send(left) :]
        if client.answer:
            return
        piece = next(client.pieces, None)
        client.until = min(self._now() + CLIENT_SECONDS, client.latest)
        if piece is not None:
            client.answer = memoryview(piece)
            return
        client.is_done = True
        client.sock.shutdown(socket.SHUT_WR)
        self._selector.modify(client.sock, selectors.EVENT_READ, client)

    def _drop_late(self) -> None:
        now = self._now()
        for client in [each for each in self._clients.values() if each.until <= now]:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.sock.fileno(), None) is not None:
            self._selector.unregister(client.sock)
        client.sock.close()


def _spelled(pieces: Iterator[str], *, as_chunks: bool) -> Iterator[bytes]:
    """Spell pieces of an answer; as chunks their end is told from a connection that broke."""
    for piece in pieces:
        body = piece.encode("utf-8", "replace")
        if body:
            yield b"%x\r\n%b\r\n" % (len(body), body) if as_chunks else body
    if as_chunks:
        yield b"0\r\n\r\n"


def _path_of(client: _Client) -> str:
    words = bytes(client.asked).split(None, 2)
    return words[1].decode("latin-1") if len(words) > 1 else ""


_SERVERS: Final[weakref.WeakSet[Server]] = weakref.WeakSet()


def _forget_all() -> None:
    for server in list(_SERVERS):
        server.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
