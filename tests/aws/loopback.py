"""How do tests speak HTTP over real sockets? A server on loopback that plays what it is told."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import pytest

DATE = b"Sat, 21 Nov 2026 10:00:00 GMT"


class Asked(NamedTuple):
    """One request as it came."""

    connection: int
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        return self.headers["x-amz-target"].rpartition(".")[2]


Play: TypeAlias = Callable[[socket.socket, Asked], object]
"""Answers one request in some way; True: the connection goes on."""


class Loopback:
    """A server whose answers a function plays. Use it in a `with`."""

    def __init__(self, play: Play, *, tls: ssl.SSLContext | None = None) -> None:
        self.play = play
        self.asked: list[Asked] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._count = 0
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop_listening()
        self.drop_connections()
        for thread in self._threads:
            thread.join(5)

    def stop_listening(self) -> None:
        """From now on connections are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def drop_connections(self) -> None:
        """Close all connections from this side."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._count += 1
            self._sockets.append(sock)
            self._start(self._serve, sock, self._count)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            for asked in _requests(sock, number):
                self.asked.append(asked)
                if self.play(sock, asked) is not True:
                    break
        sock.close()


def _requests(sock: socket.socket, number: int) -> Iterator[Asked]:
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            more = sock.recv(65536)
            if not more:
                return
            buffer += more
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        length = int(headers["content-length"])
        while len(buffer) < length:
            buffer += sock.recv(65536)
        yield Asked(number, headers, buffer[:length])
        buffer = buffer[length:]


# ------------------------------------------------------------------------------------------ answers


def answer(body: object, status: str = "200 OK", **headers: str) -> bytes:
    """One whole answer; names of headers with `_` for `-`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(len(raw), status, **headers) + raw


def head(length: int, status: str = "200 OK", **headers: str) -> bytes:
    """The head of an answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"HTTP/1.1 {status}\r\nDate: {DATE.decode()}\r\nContent-Type: application/x-amz-json-1.1"
        f"\r\nx-amzn-RequestId: R-1\r\nContent-Length: {length}\r\n{lines}\r\n"
    ).encode()


def says(raw: bytes) -> Play:
    """Answer with these bytes, and go on."""

    def play(sock: socket.socket, _asked: Asked) -> bool:
        sock.sendall(raw)
        return True

    return play


def says_and_closes(raw: bytes) -> Play:
    """Answer with these bytes, and close."""
    return lambda sock, _asked: sock.sendall(raw)


def resets(sock: socket.socket, _asked: Asked) -> None:
    """End the connection rudely."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def is_silent(sock: socket.socket, _asked: Asked) -> bool:
    """Answer nothing, and keep the connection."""
    return True


def refuses(code: str, status: str = "400 Bad Request", **extra: Any) -> Play:
    """Refuse as AWS does."""
    return says(answer({"__type": f"com.amazonaws#{code}", "message": "no", **extra}, status))


def by_operation(answers: Mapping[str, object]) -> Play:
    """Answer well, each operation with its own body."""

    def play(sock: socket.socket, asked: Asked) -> bool:
        raw = json.dumps(answers[asked.operation]).encode()
        sock.sendall(answer(raw, x_amz_crc32=str(zlib.crc32(raw))))
        return True

    return play


# ---------------------------------------------------------------------------------------------- TLS


def make_certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself, and the context of a server that shows it.

    Args:
        folder: For the files.
        names: As `DNS:localhost` or `IP:127.0.0.1`.
    """
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl to make a certificate with")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=kcl_py", "-addext", f"subjectAltName={','.join(names)}", "-days", "1"]
    subprocess.run(
        [program, *made, *named, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
