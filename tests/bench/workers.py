"""What does a whole worker spend once it is settled? A program that answers whoever watches it.

    python -m tests.bench.workers count --app someapp

Each line on its standard input is answered with one line of JSON. It ends with its input, at once:
nothing that comes after measuring is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

from kcl_py import Batch, LeaseConfig, Worker, WorkerConfig, WorkerEvent
from kcl_py.local.environment import REGION
from tests.bench.meter import rss_mib, rss_mib_max
from tests.bench.server import STREAM

SENT_AT: Final = struct.Struct("<d")
"""How a record says when it was put: seconds of `clock`, which all processes share."""

LOST: Final = frozenset({"lease.lost", "processor.fenced"})


def clock() -> float:
    """Seconds since this machine was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Watch:
    """What user code saw, and what became of leases."""

    def __init__(self) -> None:
        self.records = 0
        self.lost = 0
        self.waits: list[float] = []
        self._lock = threading.Lock()
        self._never = threading.Event()

    def hear(self, event: WorkerEvent) -> None:
        """Count losses."""
        if event.name in LOST:
            self.lost += 1

    def count(self, batch: Batch) -> None:
        """Look at every record."""
        for _ in batch:
            pass
        with self._lock:
            self.records += len(batch)

    def time(self, batch: Batch) -> None:
        """Note how long ago each record was put."""
        now = clock()
        waits = [now - SENT_AT.unpack_from(record.data)[0] for record in batch]
        with self._lock:
            self.waits += waits
            self.records += len(waits)

    def hold(self, batch: Batch) -> None:
        """Never return: what was read ahead stays in memory."""
        del batch
        self._never.wait()

    def take_waits(self) -> list[float]:
        """Return what was noted since the last time."""
        with self._lock:
            waits, self.waits = self.waits, []
            return waits


PROCESSORS: Final = MappingProxyType[str, Callable[[Watch], Callable[[Batch], None]]](
    {
        "count": lambda watch: watch.count,
        "time": lambda watch: watch.time,
        "hold": lambda watch: watch.hold,
    }
)


def look(worker: Worker, watch: Watch) -> dict[str, Any]:
    """Say everything that may be asked; what saying it costs lies between two readings of CPU."""
    before = (time.process_time(), time.perf_counter())
    records, lost, waits = watch.records, watch.lost, watch.take_waits()
    status = worker.status()
    shards = status.shards.values()
    return {
        "before": before,
        "records": records,
        "lost": lost,
        "waits": waits,
        "state": status.state,
        "held": len(shards),
        "reading": sum(shard.lag is not None for shard in shards),
        "at_tip": sum(shard.lag == 0 for shard in shards),
        "fence_in": min((shard.fence_in for shard in shards), default=0.0),
        "rss_mib": rss_mib(),
        "rss_mib_max": rss_mib_max(),
        "after": (time.process_time(), time.perf_counter()),
    }


def main() -> None:
    """Run a worker until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.workers")
    parser.add_argument("processor", choices=sorted(PROCESSORS))
    parser.add_argument("--app", required=True)
    parser.add_argument("--max-leases", type=int, help="more it does not take")
    options = parser.parse_args()
    watch = Watch()
    worker = Worker(
        app_name=options.app,
        stream=STREAM,
        processor=PROCESSORS[options.processor](watch),
        config=WorkerConfig(region=REGION, leases=LeaseConfig(max_leases=options.max_leases)),
        on_event=watch.hear,
    )
    worker.start()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(look(worker, watch)) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
