"""What may run beside a worker, from its start to its end? Health, metrics, notices, systemd."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Protocol

from kcl_py.status import WorkerEvent, WorkerStatus

__all__ = ["Companion", "Watched", "start_all"]


class Watched(Protocol):
    """What a companion may ask of its worker. Thread-safe."""

    @property
    def worker_id(self) -> str:
        """Name of the worker in the lease table."""

    def status(self) -> WorkerStatus:
        """What the worker does at this moment; waits for its control thread, 2 s at most."""

    def request_stop(self) -> None:
        """Ask for a drain; returns at once."""


class Companion(Protocol):
    """Something that is started with a worker, hears its events, and ends after it.

    Long or blocking work belongs in a thread of the companion's own: while `hear` runs, the log and
    `on_event` wait (renewals never do). What `hear` and `close` raise is logged as
    `companion.failed` and the worker goes on. One object serves one worker.
    """

    def start(self, worker: Watched) -> None:
        """Begin, before the worker connects; raising refuses the start.

        Called in the thread that starts the worker.
        """

    def hear(self, event: WorkerEvent) -> None:
        """One log event of the catalogue. All events come in one thread, in their order."""

    def close(self) -> None:
        """The last call, after the last event, in the same thread: let go within a few seconds.

        Also called if a later companion refused to start.
        """


def start_all(companions: Sequence[Companion], worker: Watched) -> None:
    """Start them in their order; if one refuses, close those before it and raise what it raised."""
    with contextlib.ExitStack() as started:
        for companion in companions:
            companion.start(worker)
            started.callback(companion.close)
        started.pop_all()
