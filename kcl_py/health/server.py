"""How are a few small questions answered over HTTP, whatever the clients do?

One thread for all: a client that sends nothing, or reads nothing, holds up nobody. Each has a
deadline and a limit on what it may send, and there is a limit on how many there are.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kcl_py.errors import ConfigError

REQUEST_BYTES_MAX: Final = 8 * 1024
CLIENT_SECONDS: Final = 5.0
"""From the first byte of a connection to its last."""
CLIENTS_MAX: Final = 32
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
    """What one path says."""

    code: int
    body: str
    kind: str = "text/plain; charset=utf-8"


@dataclass(slots=True, eq=False)
class _Client:
    sock: socket.socket
    until: float
    asked: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None


class Server:
    """Listens from the moment that it is made; `close` ends it.

    Args:
        answer: Gives the answer of a path; None: there is no such path. Must be quick.
        now: A steady clock.

    Raises:
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
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._ear, self._bell = socket.socketpair()
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kcl-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and drop whoever is connected."""
        self._is_closing.set()
        with contextlib.suppress(OSError):
            self._bell.send(b"x")
        self._thread.join(CLOSE_SECONDS)

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
        client = _Client(sock, self._now() + CLIENT_SECONDS)
        self._clients[sock.fileno()] = client
        self._selector.register(sock, selectors.EVENT_READ, client)

    def _serve(self, client: _Client) -> None:
        if client.sock.fileno() not in self._clients:
            return  # dropped by an event before this one
        try:
            if client.answer is None:
                self._hear(client)
            else:
                self._say(client, client.answer)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)

    def _hear(self, client: _Client) -> None:
        got = client.sock.recv(RECEIVE_BYTES)
        client.asked += got
        if not got:
            self._drop(client)
        elif b"\r\n\r\n" in client.asked or b"\n\n" in client.asked:
            self._reply(client, *self._read(bytes(client.asked)))
        elif len(client.asked) > REQUEST_BYTES_MAX:
            self._reply(client, Answer(431, "too long\n"))

    def _read(self, asked: bytes) -> tuple[Answer, bool]:
        """Return the answer, and whether only its head is wanted."""
        words = asked.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/"):  # noqa: PLR2004 - method, path, version
            return Answer(400, "this is no HTTP\n"), False
        method, target, _ = words
        if method not in (b"GET", b"HEAD"):
            return Answer(405, "only GET\n"), False
        path = target.split(b"?", 1)[0].decode("latin-1")
        try:
            found = self._answer(path)
        except Exception as error:  # noqa: BLE001 - a bug of ours ends one answer, not the server
            _log.error("health.answer_failed", exc_info=True, extra={"path": path})
            found = Answer(500, f"{type(error).__name__}\n")
        return found or Answer(404, "there is nothing here\n"), method == b"HEAD"

    def _reply(self, client: _Client, answer: Answer, is_head: bool = False) -> None:  # noqa: FBT001, FBT002 - of one place
        body = answer.body.encode()
        head = (
            f"HTTP/1.1 {answer.code} {_REASONS[answer.code]}\r\nContent-Type: {answer.kind}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        ).encode()
        client.answer = memoryview(head if is_head else head + body)
        self._selector.modify(client.sock, selectors.EVENT_WRITE, client)
        self._say(client, client.answer)

    def _say(self, client: _Client, left: memoryview) -> None:
        client.answer = left[client.sock.send(left) :]
        if not client.answer:
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_WR)
            self._drop(client)

    def _drop_late(self) -> None:
        now = self._now()
        for client in [each for each in self._clients.values() if each.until <= now]:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.sock.fileno(), None) is not None:
            self._selector.unregister(client.sock)
        client.sock.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(CLIENTS_MAX)
            listener.settimeout(0)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"health.port = {port} on {host} cannot be listened on ({error.strerror or error}); "
            "choose another port, or end whoever has it"
        ) from None
    return listener
