"""Where does a worker's CPU go? Its own parts, each timed on the thread that runs it.

    python -m tests.bench.profiled --shards 16 --pages 12 --records 10000

Run by `profile.py`, against its server. Prints one line: CPU seconds of each part between the first
tenth of the pages and the last. Timing costs a little itself, about 1 us a call.
"""

from __future__ import annotations

import argparse
import functools
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from kcl_py.aws import decode, stream
from kcl_py.aws.direct.connection import Connection
from kcl_py.aws.direct.route import Route
from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.stream import StreamReader
from kcl_py.core.worker_core import WorkerCore
from kcl_py.shell.control import Control
from kcl_py.shell.run import ProcessorRun
from tests.bench import meter
from tests.bench.readers import READERS
from tests.bench.task import Task, add_arguments

PARTS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("sign", Route, "spell"),
    ("network", Connection, "ask"),
    ("decode", decode, "decode_records"),
    ("deaggregate", stream, "deaggregate_page"),
    ("fetch", StreamReader, "fetch"),
    ("core", WorkerCore, "receive"),
    ("core", WorkerCore, "next_wakeup"),
    ("control", Control, "_turn"),
    ("user", ProcessorRun, "_perform"),
    ("write", LeaseTable, "write"),
)
"""Name of the part, and the function that it is."""


class Ledger:
    """CPU seconds by part, without what the parts inside of it took."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._open: dict[int, list[float]] = {}

    def watch(self, part: str, owner: Any, name: str) -> None:
        """Time a function from here on."""
        inner: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(inner)
        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time()
            stack = self._stack()
            stack.append(0.0)
            try:
                return inner(*arguments, **named)
            finally:
                took = time.thread_time() - begun
                self.spent[part] += took - stack.pop()
                if stack:
                    stack[-1] += took

        setattr(owner, name, timed)

    def _stack(self) -> list[float]:
        return self._open.setdefault(threading.get_ident(), [])


def main() -> None:
    """Read as a worker does, and say where the time went."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profiled")
    add_arguments(parser)
    task = Task(parser.parse_args())
    ledger, seen = Ledger(), list[tuple[meter.Mark, dict[str, float]]]()
    for part in PARTS:
        ledger.watch(*part)
    mark = meter.mark

    def marked(records: int) -> meter.Mark:
        found = mark(records)
        seen.append((found, dict(ledger.spent)))
        return found

    meter.mark = marked
    READERS["worker"](task)
    (first, before), (last, after) = seen
    whole = last.cpu - first.cpu
    parts = {part: spent - before.get(part, 0.0) for part, spent in after.items()}
    meter.print_json(
        records=last.records - first.records,
        whole=whole,
        rest=whole - sum(parts.values()),
        **parts,
    )


if __name__ == "__main__":
    main()
