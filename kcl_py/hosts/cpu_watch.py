"""How much of the CPU is used now? Measured beside a worker, every few seconds, for its metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kcl_py.hosts.cpu import Cpu

if TYPE_CHECKING:
    from kcl_py.companions import Watched
    from kcl_py.status import WorkerEvent

MEASURE_SECONDS: Final = 10.0
"""Between two measurements; long enough for a mean that means something."""

_log = logging.getLogger(__name__)


def unmeasured() -> float | None:
    """Say that nobody measures."""
    return None


class CpuWatch:
    """A companion. It has a thread of its own, since an ECS task may take seconds to answer.

    Args:
        measure: As `Cpu.fraction`.
        interval: Seconds between two measurements.
    """

    def __init__(
        self,
        measure: Callable[[], float | None] | None = None,
        *,
        interval: float = MEASURE_SECONDS,
    ) -> None:
        self._measure = measure
        self._interval = interval
        self._used: float | None = None
        self._is_closing = threading.Event()

    @property
    def used(self) -> float | None:
        """Part of the limit, as last measured; None: not measured yet, or not known here."""
        return self._used

    def start(self, worker: Watched) -> None:
        """Begin."""
        del worker
        threading.Thread(target=self._work, name="kcl-cpu", daemon=True).start()

    def hear(self, event: WorkerEvent) -> None:
        """Nothing."""

    def close(self) -> None:
        """End; nothing is waited for."""
        self._is_closing.set()

    def _work(self) -> None:
        try:
            measure = self._measure or Cpu().fraction
            while not self._is_closing.is_set():
                self._used = measure()
                self._is_closing.wait(self._interval)
        except Exception as error:  # noqa: BLE001 - a figure less; the worker matters more
            bug = {"error_type": type(error).__qualname__}
            _log.error("cpu.failed", exc_info=True, extra=bug)
        self._used = None
