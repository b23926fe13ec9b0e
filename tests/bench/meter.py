"""How much CPU did this process spend between two records? Starting up is not counted."""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """One instant of this process; seconds."""

    records: int
    cpu: float
    wall: float


def mark(records: int) -> Mark:
    """Read both clocks. CPU is user and system time of all threads."""
    return Mark(records, time.process_time(), time.perf_counter())


def rss_mib() -> float:
    """Return the resident memory of this process now, MiB."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123 - one line of the kernel
        pages = int(statm.read().split()[1])
    return pages * resource.getpagesize() / 2**20


def rss_mib_max() -> float:
    """Return the most resident memory that this process ever had, MiB.

    Not `ru_maxrss`, which begins with what the parent had.
    """
    with open("/proc/self/status") as status:  # noqa: PTH123 - as above
        peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


class Meter:
    """Counts records, a batch at a time, and marks where measuring begins and ends.

    Args:
        warm: So many records come before measuring begins.
        total: Measuring ends with so many.
    """

    def __init__(self, *, warm: int, total: int) -> None:
        self.ended = threading.Event()
        self._warm = warm
        self._total = total
        self._records = 0
        self._first: Mark | None = None
        self._last: Mark | None = None
        self._lock = threading.Lock()

    def add(self, records: int) -> None:
        """So many more were looked at."""
        with self._lock:
            self._records += records
            if self._first is None and self._records >= self._warm:
                self._first = mark(self._records)
            elif self._last is None and self._records >= self._total:
                self._last = mark(self._records)
                self.ended.set()

    def tell(self) -> None:
        """Print what was measured, as one line of JSON."""
        assert self._first is not None, "measuring never began"
        assert self._last is not None, "measuring never ended"
        print_json(
            records=self._last.records - self._first.records,
            cpu=self._last.cpu - self._first.cpu,
            wall=self._last.wall - self._first.wall,
        )


def print_json(**found: float) -> None:
    """Print one line of JSON for the parent to read."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
