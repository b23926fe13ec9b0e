"""How do a worker's numbers reach a sink, without holding up the worker? A thread of their own.

Each point is sent at most once: what a sink does not take is dropped, counted and told. What is
counted goes on growing meanwhile, so a failure costs its interval and no more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from kcl_py.companions import Watched
from kcl_py.metrics.points import Collector, Level, Point
from kcl_py.status import WorkerEvent

LOOK_SECONDS: Final = 10.0
"""How often levels are looked at."""

JOIN_SECONDS: Final = 4.0
"""How long the end waits for the last sending; the log's thread waits 5 s for all companions."""

SENDING_SECONDS_MAX: Final = 120.0
"""A sending that takes longer is told of: a service may let its answer drip for hours."""

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where points go."""

    @property
    def name(self) -> str:
        """For the log."""

    def send(self, points: Sequence[Point], at: float) -> Iterator[tuple[int, str | None]]:
        """Send what was in an interval, part by part.

        Args:
            at: Unix seconds.

        Yields:
            How many points each part had, and why it was not taken; None: it was.
        """


class Publisher:
    """A companion: sends what came since the last time, every `interval` seconds and at the end.

    Args:
        make_sink: Called at the start; what it raises refuses it.
        wall: Unix seconds.
    """

    def __init__(
        self,
        make_sink: Callable[[Watched], Sink],
        *,
        level: Level,
        interval: float,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._make_sink = make_sink
        self._interval = interval
        self._now = now
        self._wall = wall
        self._collector = Collector(level)
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._dropped_in_a_row = 0
        self._worker: Watched
        self._sink: Sink

    def start(self, worker: Watched) -> None:
        """Make the sink, and begin."""
        self._worker = worker
        self._sink = self._make_sink(worker)
        self._thread = threading.Thread(target=self._work, name="kcl-metrics", daemon=True)
        self._thread.start()

    def hear(self, event: WorkerEvent) -> None:
        """Nothing that is not in `status()`, too."""

    def close(self) -> None:
        """Send the rest; what that does not do in time is told, and lost."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
            if self._thread.is_alive():
                self._tell_unfinished(JOIN_SECONDS)

    def _tell_unfinished(self, waited: float) -> None:
        unfinished = {"sink": self._sink.name, "waited": round(waited, 1)}
        _log.warning("metrics.unfinished", extra=unfinished)

    # ----------------------------------------------------------------------------------- the thread

    def _work(self) -> None:
        due = self._now() + self._interval
        is_last = False
        while not is_last:
            left = max(due - self._now(), 0.0)
            is_last = self._is_closing.wait(min(left, LOOK_SECONDS))
            try:
                self._collector.look(self._worker.status())
                if is_last or self._now() >= due:
                    # Counted from now: after a slow sending nothing is caught up.
                    due = self._now() + self._interval
                    with self._watched():
                        self.publish()
            except Exception as error:  # noqa: BLE001 - a bug of ours; the next interval may do
                bug = {"error_type": type(error).__qualname__}
                _log.error("metrics.failed", exc_info=True, extra=bug)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Say so if it does not end. No event need come for that, and a quiet worker has none."""
        waited = SENDING_SECONDS_MAX
        watch = threading.Timer(waited, self._tell_unfinished, (waited,))
        watch.name, watch.daemon = "kcl-metrics-watch", True
        with suppress(RuntimeError):  # no thread is to be had: the numbers matter more
            watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def publish(self) -> None:
        """Send what came since the last time; nothing of a worker that has not begun.

        Whatever kept it from that is told as what it is, and not as numbers that were dropped.
        """
        status = self._worker.status()
        if status.at is None:
            return
        points = self._collector.take(status)
        dropped, why = 0, None
        for count, problem in self._sink.send(points, self._wall()):
            if problem is not None:
                dropped, why = dropped + count, problem
        if dropped:
            if not self._dropped_in_a_row or self._is_closing.is_set():
                facts = {"sink": self._sink.name, "count": dropped, "problem": why}
                _log.warning("metrics.dropped", extra=facts)
            self._dropped_in_a_row += dropped
        elif self._dropped_in_a_row:
            lost = {"sink": self._sink.name, "dropped": self._dropped_in_a_row}
            _log.info("metrics.resumed", extra=lost)
            self._dropped_in_a_row = 0
