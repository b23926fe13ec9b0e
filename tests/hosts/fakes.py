"""What do the services of a machine answer? Each of them on loopback, with its bad days."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from kcl_py.shell.clock import SYSTEM_CLOCK

INSTANCE_ID = "i-0123456789abcdef0"
GROUP = "people-workers"
_MARK = "MARK=heard so far"
TASK_ID = "158d1c8083dd49d6b527399fd6414f5c"
TASK_ARN = f"arn:aws:ecs:us-east-1:111122223333:task/people/{TASK_ID}"
SPOT = json.dumps({"action": "terminate", "time": "2026-11-21T08:22:00Z"})
REBALANCE = json.dumps({"noticeTime": "2026-11-21T08:20:00Z"})


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    at: float  # on the clock of the audit logs


@dataclass
class Service:
    """A server that answers from a table.

    Attributes:
        pages: Bodies by path; what is not there is answered with 404.
        asked: All requests so far.
        status: If set, the answer to everything.
        hangs: Nothing is answered until this is set; None: everything is.
    """

    pages: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    status: int | None = None
    hangs: threading.Event | None = None
    url: str = ""

    def answer(self, asked: Asked) -> tuple[int, str]:
        if self.status is not None:
            return self.status, "a fault"
        page = self.pages.get(asked.path)
        return (404, "nothing here") if page is None else (200, page)

    @contextmanager
    def running(self) -> Iterator[None]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                at = SYSTEM_CLOCK.now()
                asked = Asked(self.command, self.path, dict(self.headers.items()), body, at)
                service.asked.append(asked)
                if service.hangs is not None:
                    service.hangs.wait(30.0)
                status, text = service.answer(asked)
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = _serve  # noqa: N815 - as http.server calls them

            def handle(self) -> None:
                # Whoever asked may have gone meanwhile.
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
            thread.start()
            try:
                yield
            finally:
                if self.hangs is not None:
                    self.hangs.set()
                server.shutdown()
                thread.join(10.0)


@dataclass
class FakeImds(Service):
    """Version 2 only: without a valid token everything is 401.

    Attributes:
        tokens: Those that are valid.
        granted: How many there were.
    """

    tokens: set[str] = field(default_factory=set)
    granted: int = 0

    def __post_init__(self) -> None:
        self.say("instance-id", INSTANCE_ID)
        self.say("placement/region", "us-east-1")
        self.say("tags/instance/aws:autoscaling:groupName", GROUP)
        self.say("autoscaling/target-lifecycle-state", "InService")

    def say(self, path: str, text: str) -> None:
        """Answer this from now on."""
        self.pages[f"/latest/meta-data/{path}"] = text

    def answer(self, asked: Asked) -> tuple[int, str]:
        if self.status is None and asked.path == "/latest/api/token":
            if asked.method != "PUT" or "X-aws-ec2-metadata-token-ttl-seconds" not in asked.headers:
                return 400, "no life was asked for"
            self.granted += 1
            token = f"token-{self.granted}=="
            self.tokens.add(token)
            return 200, token
        if self.status is None and asked.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            return 401, "unauthorized"
        return super().answer(asked)


@dataclass
class FakeEcs(Service):
    """The metadata of a task with one container."""

    def __post_init__(self) -> None:
        labels = {
            "com.amazonaws.ecs.task-arn": TASK_ARN,
            "com.amazonaws.ecs.container-name": "worker",
        }
        container = {"DockerId": "ea32192c", "Name": "worker", "Labels": labels}
        self.pages["/v4/ea32192c"] = json.dumps(container)
        self.stats(1.0)
        self.task("RUNNING")

    @property
    def address(self) -> str:
        """As ECS_CONTAINER_METADATA_URI_V4 has it."""
        return f"{self.url}/v4/ea32192c"

    def task(self, desired: str, cpu: float | None = 0.5) -> None:
        limits = {"Memory": 512} | ({} if cpu is None else {"CPU": cpu})
        task = {"TaskARN": TASK_ARN, "DesiredStatus": desired, "Limits": limits}
        self.pages["/v4/ea32192c/task"] = json.dumps(task)

    def stats(self, seconds: float) -> None:
        used = {"cpu_usage": {"total_usage": int(seconds * 1e9 / 2)}, "online_cpus": 2}
        containers = {"ea32192c": {"cpu_stats": used}, "sidecar": {"cpu_stats": used}}
        self.pages["/v4/ea32192c/task/stats"] = json.dumps(containers)


@dataclass
class FakeAutoScaling(Service):
    """Speaks the query protocol.

    Attributes:
        code: An error instead of success.
        message: Of the error.
    """

    code: str | None = None
    message: str = ""

    def answer(self, asked: Asked) -> tuple[int, str]:
        if self.status is not None:
            return super().answer(asked)
        if self.code is not None:
            error = f"<Code>{self.code}</Code><Message>{self.message}</Message>"
            return 400, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
        name = parse_qs(asked.body)["Action"][0]
        result = f"<{name}Response><{name}Result/><ResponseMetadata/></{name}Response>"
        return 200, result

    @property
    def said(self) -> list[dict[str, str]]:
        """What was asked for so far."""
        forms = [parse_qs(asked.body) for asked in self.asked]
        return [{name: values[0] for name, values in form.items()} for form in forms]


class Systemd:
    """The other end of the socket; reads all the time, since a full queue would block who sends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def heard(self) -> list[str]:
        """What was sent since the last look, a text for each datagram."""
        self._send(_MARK)
        return list(iter(self._heard.get, _MARK))

    def close(self) -> None:
        """Read no more."""
        self._send("")
        self._thread.join(10.0)
        self._socket.close()

    @property
    def _address(self) -> str:
        return "\0" + self.path[1:] if self.path.startswith("@") else self.path

    def _listen(self) -> None:
        while text := self._socket.recv(4096).decode():
            self._heard.put(text)

    def _send(self, text: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode(), self._address)
