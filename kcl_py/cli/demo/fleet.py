"""How are an engine and workers started as processes of their own, watched, and ended?

The demo and the process tests stand on this. Facts are waited for, never times: an engine and a
worker say when they are ready.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from kcl_py.cli.errors import OutOfTime
from kcl_py.cli.running.ready import read_ready
from kcl_py.errors import SetupError
from kcl_py.shell.clock import SYSTEM_CLOCK

READY_SECONDS_MAX: Final = 60.0
"""How long a process may take to say that it is ready; generous, for machines that are busy."""

END_SECONDS_MAX: Final = 60.0
_LOOK_SECONDS: Final = 0.05

Pump: TypeAlias = Callable[[], None]
"""Called again and again while something is waited for, as to draw a board."""


def wait_until(
    fact: Callable[[], bool], what: str, *, timeout: float, pump: Pump | None = None
) -> float:
    """Wait for a fact.

    Args:
        fact: Looks.
        what: For the message, as "every shard has an owner".
        timeout: Seconds; a bound that only a fault reaches.
        pump: Called between two looks.

    Returns:
        Seconds that it took.

    Raises:
        OutOfTime: The fact did not come about.
    """
    begun = SYSTEM_CLOCK.now()
    while not fact():
        if SYSTEM_CLOCK.now() - begun > timeout:
            raise OutOfTime(f"waited {timeout:g} s in vain until {what}")
        if pump is not None:
            pump()
        time.sleep(_LOOK_SECONDS)
    return SYSTEM_CLOCK.now() - begun


@dataclass(slots=True)
class Child:
    """A process of ours, with everything that it says in one file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> float:
        """Send a signal; returns when, on the clock of the audit logs."""
        at = SYSTEM_CLOCK.now()
        self.process.send_signal(number)
        return at

    def wait(self, timeout: float = END_SECONDS_MAX, pump: Pump | None = None) -> int:
        """Wait until it ends, and return its exit code (minus the signal that killed it)."""
        wait_until(lambda: not self.is_running, f"{self.name} ends", timeout=timeout, pump=pump)
        return self.process.wait()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.is_running:
            self.process.kill()
        self.process.wait()

    def tail(self, lines: int = 5) -> str:
        """What it said last."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start_child(
    name: str, arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str]
) -> Child:
    """Start `python -m kcl_py` in a process of its own, out of reach of the terminal's Ctrl-C."""
    log = directory / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and package
            [sys.executable, "-m", "kcl_py", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    return Child(name, process, log)


def _wait_ready(child: Child, path: Path, pump: Pump | None) -> Mapping[str, object]:
    """Wait for the line by which a child says that it is ready."""

    def has_said() -> bool:
        if not child.is_running:
            raise SetupError(
                f"{child.name} ended with exit code {child.process.returncode} before it was "
                f"ready; it said: {child.tail()}"
            )
        return read_ready(path) is not None

    wait_until(has_said, f"{child.name} is ready", timeout=READY_SECONDS_MAX, pump=pump)
    return read_ready(path) or {}


@dataclass(slots=True)
class WorkerProcess:
    """A worker in a process of its own.

    Attributes:
        worker_id: As in the lease table; empty until it is ready.
    """

    child: Child
    audit_log: Path
    ready_file: Path
    worker_id: str = ""

    def wait_ready(self, pump: Pump | None = None) -> None:
        """Wait until it runs."""
        self.worker_id = str(_wait_ready(self.child, self.ready_file, pump)["worker_id"])


@dataclass(slots=True, kw_only=True)
class WorkerFactory:
    """Starts workers of one application.

    Attributes:
        processor: As `kcl run` takes it.
        settings: Tuning by name, as `{"leases.duration": "3s"}`.
        environment: Of the processes.
    """

    directory: Path
    app: str
    stream: str
    processor: str
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, name: str, environment: Mapping[str, str] | None = None) -> WorkerProcess:
        """Start one; do not wait until it is ready.

        Args:
            name: Names its files, and begins its worker id unless the settings name one.
            environment: More variables, for this one alone.
        """
        audit_log = self.directory / f"{name}.audit.jsonl"
        ready_file = self.directory / f"{name}.ready.json"
        settings = {"worker_name": name, **self.settings}
        arguments = [
            "run",
            self.processor,
            f"--app={self.app}",
            f"--stream={self.stream}",
            f"--audit-log={audit_log}",
            f"--ready-file={ready_file}",
            "--with-parent",
            "--log-format=json",
            *(f"--set={name}={value}" for name, value in settings.items()),
        ]
        child = start_child(
            name,
            arguments,
            directory=self.directory,
            environment={**self.environment, **(environment or {})},
        )
        return WorkerProcess(child, audit_log, ready_file)
