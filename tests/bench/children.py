"""How does one measurement run? In child processes, so that nothing else is in their time."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kcl_py.local.environment import clean_environment
from tests.piped import start_piped

ROOT: Final = Path(__file__).resolve().parents[2]
CHILD_SECONDS_MAX: Final = 600.0
STOP_SECONDS_MAX: Final = 10.0
CONTROL_SECONDS_MAX: Final = 10.0


class ChildError(Exception):
    """A child process did not do what it was started for."""


class Stub:
    """A server of rendered pages in a process of its own.

    Args:
        tls: Folder with cert.pem and key.pem; None: plain HTTP.
        options: Of `tests.bench.server`.
    """

    def __init__(self, tls: Path | None, **options: int) -> None:
        self._tls = tls
        self._command = [sys.executable, "-m", "tests.bench.server"]
        self._command += _as_arguments(options)
        if tls is not None:
            self._command += ["--tls", str(tls)]
        self._process: subprocess.Popen[str] | None = None
        self.endpoint_url = ""

    def __enter__(self) -> Self:
        self._process = start_piped(self._command, cwd=ROOT)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildError(f"the server did not start: exit code {self._process.wait()}")
        self.endpoint_url = json.loads(line)["endpoint_url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        assert process is not None
        process.kill()  # it keeps nothing
        process.communicate(timeout=STOP_SECONDS_MAX)

    @property
    def environment(self) -> dict[str, str]:
        """A whole environment for a child that talks to this server alone."""
        environment = clean_environment(os.environ, self.endpoint_url)
        if self._tls is not None:
            environment["AWS_CA_BUNDLE"] = str(self._tls / "cert.pem")
        return environment

    def forget(self) -> None:
        """Count requests and gaps between writes from now on."""
        self._control("DELETE", "requests")

    def requests(self, service: str, operation: str) -> int:
        """Return how many such requests went well since `forget`."""
        found: int = (
            self._control("GET", "requests").get(service, {}).get(operation, {}).get("ok", 0)
        )
        return found

    def gaps(self) -> list[float]:
        """Return for each lease row how long it waited for a write at most, seconds."""
        found: list[float] = self._control("GET", "stub")["gaps"]
        return found

    def cpu(self) -> float:
        """Return the CPU seconds that the server has spent."""
        return float(self._control("GET", "stub")["cpu"])

    def _control(self, method: str, name: str) -> Any:
        context = None
        if self._tls is not None:
            context = ssl.create_default_context(cafile=str(self._tls / "cert.pem"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        request = urllib.request.Request(f"{self.endpoint_url}/_kcl/{name}", method=method)
        with opener.open(request, timeout=CONTROL_SECONDS_MAX) as answer:
            return json.loads(answer.read())


def measured(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run a child and return what it printed: one line of JSON, the last.

    Raises:
        ChildError: It failed; with what it said.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        check=False,
        text=True,
        timeout=CHILD_SECONDS_MAX,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise ChildError(f"{' '.join(command[1:4])} ended with {done.returncode}: {done.stderr}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def reader(name: str, environment: Mapping[str, str], **options: int) -> dict[str, Any]:
    """Run one contender of `tests.bench.readers`."""
    command = [sys.executable, "-m", "tests.bench.readers", name]
    return measured(command + _as_arguments(options), environment)


def peer_command(python: Path, name: str, stream: str, **options: int) -> list[str]:
    """Return what runs one contender of `tests.bench.peer_readers`."""
    command = [str(python), "-m", "tests.bench.peer_readers", name, "--stream", stream]
    return command + _as_arguments(options)


def _as_arguments(options: Mapping[str, int]) -> list[str]:
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
    return [part for pair in pairs for part in pair]


def make_certificate(folder: Path) -> Path | None:
    """Make a certificate for 127.0.0.1 in this folder; None: there is no openssl here."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    paths = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    try:
        subprocess.run(
            [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", *paths],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        return None
    return folder
