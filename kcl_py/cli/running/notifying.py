"""What does systemd hear of `kcl run --processes N`? And who notices that one of the N hangs?

Each process gets a socket of ours in place of systemd's, and tells it that it is alive, as it would
tell systemd. One that falls silent for as long as the watchdog grants is ended and started again,
so that one that hangs does not cost the others their work. The watchdog itself is fed by the loop
that looks after all of them.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kcl_py.hosts.systemd import (
    SOCKET_VARIABLE,
    WATCHDOG_PID_VARIABLE,
    WATCHDOG_VARIABLE,
    Address,
    Notifier,
    address_of,
)

_DATAGRAM_BYTES_MAX: Final = 4096
_DATAGRAMS_MAX: Final = 100
"""Read from one socket at one look, so that no process can hold up the loop."""

_FEED_PART: Final = 2


def without_systemd(env: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child that systemd does not listen to."""
    ours = {SOCKET_VARIABLE, WATCHDOG_VARIABLE, WATCHDOG_PID_VARIABLE}
    return {name: value for name, value in env.items() if name not in ours}


class Silence:
    """Which process has not been heard of for too long? Seconds on any steady clock."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._heard: dict[int, float] = {}

    def heard(self, number: int, now: float) -> None:
        """It was started, or says that it is alive."""
        self._heard[number] = now

    def ended(self, number: int) -> None:
        """Nothing is expected of it any more."""
        self._heard.pop(number, None)

    def silent(self, now: float) -> list[int]:
        """Those that should be ended."""
        return [number for number, at in self._heard.items() if now - at > self._patience]


class Notifying:
    """Speaks to systemd for all processes. For the thread of the supervisor.

    Args:
        address: Systemd's.
        directory: For the sockets of the processes.
    """

    def __init__(self, address: Address, directory: Path) -> None:
        self._notifier = Notifier(address.path)
        self._watchdog = address.watchdog
        self._directory = directory
        self._sockets: dict[int, socket.socket] = {}
        self._silence = None if address.watchdog is None else Silence(address.watchdog)
        self._running: set[int] = set()
        self._feed_at = 0.0
        self._said = ""

    def environment_of(self, number: int, env: Mapping[str, str]) -> dict[str, str]:
        """What a process is started with: where to say that it is alive, if anybody asks."""
        clean = without_systemd(env)
        if self._watchdog is None:
            return clean
        path = self._directory / f"{number + 1}.notify"
        if number not in self._sockets:
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            listening.bind(str(path))
            listening.settimeout(0.0)
            self._sockets[number] = listening
        usec = str(int(self._watchdog * 1e6))
        return clean | {SOCKET_VARIABLE: str(path), WATCHDOG_VARIABLE: usec}

    def started(self, number: int, now: float) -> None:
        """A process was started."""
        self._running.add(number)
        if self._silence is not None:
            self._silence.heard(number, now)

    def ended(self, number: int) -> None:
        """A process has ended."""
        self._running.discard(number)
        if self._silence is not None:
            self._silence.ended(number)

    def look(self, now: float, status: str) -> list[int]:
        """Hear all, tell systemd; returns which processes hang."""
        lines = []
        if self._watchdog is not None and now >= self._feed_at:
            self._feed_at = now + self._watchdog / _FEED_PART
            lines.append("WATCHDOG=1")
        if status != self._said:
            self._said = status
            lines.append(f"STATUS={status}")
        if lines:
            self._notifier.send(*lines)
        if self._silence is None:
            return []
        for number, listening in self._sockets.items():
            # Its last words may be read after its end; nothing more is expected of it then.
            if _has_said_anything(listening) and number in self._running:
                self._silence.heard(number, now)
        return self._silence.silent(now)

    def ready(self) -> None:
        """All run."""
        self._notifier.send("READY=1")

    def stopping(self) -> None:
        """All drain."""
        self._notifier.send("STOPPING=1")

    def close(self) -> None:
        """Let go of the sockets."""
        for listening in self._sockets.values():
            listening.close()


def address_here() -> Address | None:
    """Where this process should speak to systemd; None: nowhere."""
    return address_of(os.environ, os.getpid())


def _has_said_anything(listening: socket.socket) -> bool:
    """Say whether something came: after its start a worker says nothing while it hangs."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while count < _DATAGRAMS_MAX:
            listening.recv(_DATAGRAM_BYTES_MAX)
            count += 1
    return count > 0
