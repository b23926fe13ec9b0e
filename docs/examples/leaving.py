"""A worker in a program of its own that leaves when its machine ends, or when a file appears."""

from __future__ import annotations

import os
from pathlib import Path

from kcl_py import Batch, Worker, WorkerConfig
from kcl_py.hosts import Notice, Notices, companions_for, named_after_host


def greet(batch: Batch) -> None:
    for record in batch:
        print(f"hello {record.text()}")


class DrainFile:
    """A notice of our own: whoever runs the machine makes a file."""

    name = "drain-file"

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self) -> Notice | None:
        return Notice("other", "drain") if self.path.exists() else None


def main() -> None:
    config = named_after_host(WorkerConfig.from_env(), os.environ)
    worker = Worker(
        app_name="greeter",
        stream="people",
        processor=greet,
        config=config,
        companions=[
            *companions_for(config),
            Notices([DrainFile(Path(os.environ.get("DRAIN_FILE", "drain")))]),
        ],
    )
    worker.run()


if __name__ == "__main__":
    main()
