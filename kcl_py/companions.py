"""What may run beside a worker, from its start to its end? Health, metrics, notices, systemd."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Sequence
from typing import Protocol

from kcl_py.status import WorkerEvent, WorkerStatus

__all__ = ["Companion", "Watched", "close_all", "start_all"]

_log = logging.getLogger(__name__)


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
    started: list[Companion] = []
    try:
        for companion in companions:
            companion.start(worker)
            started.append(companion)
    except BaseException:
        close_all(started)
        raise


def close_all(companions: Iterable[Companion]) -> None:
    """Close them, the last one first; one that raises keeps nobody from closing the others."""
    for companion in reversed([*companions]):
        try:
            companion.close()
        except BaseException as error:  # noqa: BLE001 - what refused the start says more
            facts = {
                "companion": type(companion).__qualname__,
                "during": "close",
                "traceback": "".join(traceback.format_exception(error)),
            }
            _log.error("companion.failed", extra=facts)
