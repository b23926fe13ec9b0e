"""Do two workers, each in a process of its own, do the same work for the same CPU as one?

All shards have a backlog without end and are read at the full rate that the service allows, so one
process and two get the same records each second. Nobody may take more than a fair share of the
leases, so that they are balanced from the start and none moves.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from tests.bench.children import Stub
from tests.bench.figures import Figure, Report, Target
from tests.bench.session import Session
from tests.bench.watched import Watched, all_read, between, settle

SHARDS: Final = 48
RECORDS: Final = 10_000
RECORD_BYTES: Final = 100
"""A page of 1 MB every half a second and shard: the 2 MB a second that it may be read at."""

PAGES: Final = 1_000_000
UNIT: Final = "CPU s per million records"
RATIO_MAX: Final = 1.1
"""Promised: what a record costs with two processes, next to one."""

SETTLE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round found.

    Attributes:
        cost: CPU seconds per million records.
        percent: CPU of all processes, as a part of one core.
        rate: Records a second.
    """

    cost: float
    percent: float
    rate: float


def run(session: Session) -> Report:
    """Measure one process and two, in turns."""
    report = Report(name="cores", title="Several cores")
    found: dict[int, list[Sample]] = defaultdict(list)
    for number in range(1 if session.quick else 5):
        for processes in (1, 2) if number % 2 == 0 else (2, 1):
            session.say(f"cores {processes}, round {number + 1}")
            found[processes].append(_measure(session, processes))
    costs = {}
    for processes, samples in sorted(found.items()):
        named = f"{SHARDS} full shards of {RECORD_BYTES} B records, processes: {processes}"
        kinds = (
            Figure(what=f"{named}: CPU", unit=UNIT, samples=tuple(it.cost for it in samples)),
            Figure(
                what=f"{named}: CPU of all together",
                unit="% of a core",
                samples=tuple(it.percent for it in samples),
            ),
            Figure(
                what=f"{named}: records that they got",
                unit="thousand a second",
                samples=tuple(it.rate / 1000 for it in samples),
            ),
        )
        costs[processes] = kinds[0]
        report.figures += kinds
    report.targets.append(
        Target(
            what="CPU per record of two processes next to one",
            samples=costs[2].over(costs[1]),
            limit=RATIO_MAX,
            sense="at most",
        )
    )
    return report


def _measure(session: Session, processes: int) -> Sample:
    sizes = {"pages": PAGES, "records": RECORDS, "record_bytes": RECORD_BYTES}
    with contextlib.ExitStack() as exits:
        stub = exits.enter_context(Stub(session.tls, shards=SHARDS, **sizes))
        share = SHARDS // processes
        workers = [
            exits.enter_context(Watched("count", "cores", stub.environment, max_leases=share))
            for _ in range(processes)
        ]
        settle(workers, all_read(SHARDS), SETTLE_SECONDS)
        first = [worker.look() for worker in workers]
        time.sleep(5.0 if session.quick else 10.0)
        last = [worker.look() for worker in workers]
    assert [look.held for look in last] == [look.held for look in first], "leases moved meanwhile"
    spent = [between(*pair) for pair in zip(first, last, strict=True)]
    cpu, records = sum(each.cpu for each in spent), sum(each.records for each in spent)
    return Sample(
        cost=cpu / records * 1e6,
        percent=sum(each.percent for each in spent),
        rate=sum(each.records / each.wall for each in spent),
    )
