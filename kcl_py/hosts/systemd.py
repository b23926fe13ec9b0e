"""What does systemd hear of a worker in a service of Type=notify? Ready, alive, at work, leaving.

Source: sd_notify(3), sd_watchdog_enabled(3). One datagram each, so nothing else is needed.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kcl_py._words import counted
from kcl_py.companions import Watched
from kcl_py.status import WorkerEvent, WorkerStatus

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE: Final = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE: Final = "WATCHDOG_PID"

STATUS_INTERVAL_SECONDS: Final = 10.0
"""Between two lines for `systemctl status`, if the watchdog asks for no shorter one."""

FEED_SECONDS_MIN: Final = 0.25
"""However short the watchdog is: each word costs the control thread an answer."""

ANSWER_SECONDS: Final = 2.0
"""`status()` waits so long for the control thread; what took less was an answer."""

_SEND_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send, and how often systemd wants to hear that all is well.

    Attributes:
        path: Of a socket; one that begins with @ is abstract.
        watchdog: Seconds without a word after which systemd acts; None: it does not.
    """

    path: str
    watchdog: float | None


def address_of(env: Mapping[str, str], pid: int) -> Address | None:
    """Read what systemd has set; None: it does not wait for word."""
    path = env.get(SOCKET_VARIABLE, "")
    if not path.startswith(("/", "@")) or len(path) < 2:  # noqa: PLR2004 - one letter is no path
        return None
    try:
        usec = int(env.get(WATCHDOG_VARIABLE) or "0")
        meant = int(env.get(WATCHDOG_PID_VARIABLE) or pid)
    except ValueError:
        usec, meant = 0, pid
    return Address(path, usec / 1e6 if usec > 0 and meant == pid else None)


class Notifier:
    """Sends to systemd; a failure is logged once, and is no reason to stop."""

    def __init__(self, path: str) -> None:
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._is_told = False

    def send(self, *lines: str) -> None:
        """Send lines as READY=1 in one datagram. Thread-safe."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_SECONDS)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                facts = {"problem": f"{type(error).__name__}: {error}"}
                _log.warning("systemd.unreachable", extra=facts)


def pause_of(watchdog: float | None) -> float:
    """Seconds between two words.

    Args:
        watchdog: As in `Address`.
    """
    half = STATUS_INTERVAL_SECONDS if watchdog is None else watchdog / 2
    return min(max(half, FEED_SECONDS_MIN), STATUS_INTERVAL_SECONDS)


def status_line(status: WorkerStatus) -> str:
    """One line for `systemctl status`."""
    lags = [shard.behind for shard in status.shards.values() if shard.behind is not None]
    lag = f", {max(lags):.1f} s behind" if lags else ""
    health = "" if status.healthy else ", unhealthy"
    fleet = f"one of {counted(len(status.peers) + 1, 'worker')}"
    return f"{status.state}: {counted(len(status.shards), 'lease')}{lag}, {fleet}{health}"


class SystemdNotifier:
    """A companion: READY=1 once the worker runs, STOPPING=1 once it drains, and what it does.

    The watchdog is fed only after the worker's control thread has answered, so systemd acts on a
    worker that hangs, and not on one that lags.

    Args:
        address: Where to send.
        now: Seconds on a clock that never jumps.
    """

    def __init__(self, address: Address, *, now: Callable[[], float] = time.monotonic) -> None:
        self._notifier = Notifier(address.path)
        self._watchdog = address.watchdog
        self._now = now
        self._ended = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self, worker: Watched) -> None:
        """Begin to tell what it does; READY=1 comes later."""
        self._notifier.send(f"STATUS=starting {worker.worker_id}")
        self._thread = threading.Thread(
            target=lambda: self._work(worker), name="kcl-systemd", daemon=True
        )
        self._thread.start()

    def hear(self, event: WorkerEvent) -> None:
        """Tell what systemd waits for."""
        if event.name == "worker.ready":
            self._notifier.send("READY=1", "STATUS=running")
        elif event.name == "worker.leaving":
            self._stopping()

    def close(self) -> None:
        """The worker has ended."""
        self._stopping()
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def tell(self, worker: Watched) -> None:
        """Tell what the worker does; without an answer of its control thread, nothing."""
        asked = self._now()
        status = worker.status()
        if self._now() - asked < ANSWER_SECONDS:
            alive = [] if self._watchdog is None else ["WATCHDOG=1"]
            self._notifier.send(*alive, f"STATUS={status_line(status)}")

    def _work(self, worker: Watched) -> None:
        is_told = False
        while not self._ended.wait(pause_of(self._watchdog)):
            try:
                self.tell(worker)
            except Exception as error:  # noqa: BLE001 - a bug of ours; the next time may do
                if not is_told:
                    bug = {"error_type": type(error).__qualname__}
                    _log.error("systemd.failed", exc_info=True, extra=bug)
                is_told = True

    def _stopping(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self._notifier.send("STOPPING=1", "STATUS=draining")
