"""A worker in a program of your own, configured in code."""

from __future__ import annotations

import logging
from collections import Counter

from kcl_py import LeaseConfig, OnError, Worker, WorkerConfig, WorkerEvent

from ways import greet

seen: Counter[str] = Counter()


def note(event: WorkerEvent) -> None:
    seen[event.name] += 1  # in a thread of its own: be quick all the same


config = WorkerConfig(
    worker_name="greeter",
    leases=LeaseConfig(duration=5.0, max_leases=20),
    on_error=OnError(attempts=5, then="pause"),
)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    worker = Worker(
        app_name="greeter", stream="people", processor=greet, config=config, on_event=note
    )
    worker.run()  # until SIGTERM or Ctrl-C; raises what stopped it otherwise


if __name__ == "__main__":
    main()
