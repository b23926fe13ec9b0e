"""How much memory does a worker take when all that it may read ahead is full? Default budget.

User code never returns, so that everything stays that was read. The budget (256 MiB) counts the
bytes of answers on the wire, base64 included; what they become in memory is measured here, over the
same worker with shards that are always empty.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kcl_py import DeliveryConfig
from tests.bench.children import ChildError, Stub
from tests.bench.figures import Figure, Report
from tests.bench.pages import Pages
from tests.bench.session import Session
from tests.bench.watched import Look, Watched, all_read, settle

SHARDS: Final = (64, 256, 1_000)
BUDGET_BYTES: Final = DeliveryConfig().buffer_bytes
RECORD_BYTES: Final = (1_000, 100)
RECORDS_MAX: Final = 10_000
PAGES: Final = 1_000
OVER: Final = 1.06
"""Pages are so large that the first ones of all shards together would be so many budgets: the
budget ends reading, whatever the shards are still to bring."""

STILL_SECONDS: Final = 2.0
STILL_SECONDS_MAX: Final = 60.0
STILL_MIB: Final = 1.0


def run(session: Session) -> Report:
    """Measure at every number of shards, empty ones and full ones."""
    report = Report(name="memory", title="Memory")
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(1 if session.quick else 2):
        for shards in SHARDS[:2] if session.quick else SHARDS:
            session.say(f"memory {shards} shards, round {number + 1}")
            idle = _measure(session, _idle(shards)).rss_mib
            found[f"{shards:,} idle shards: the process"].append(idle)
            for load in filter(None, (_full(shards, size) for size in RECORD_BYTES)):
                look = _measure(session, load)
                named = f"{shards:,} shards, budget full of {load.record_bytes:,} B records"
                found[f"{named}: more than idle"].append(look.rss_mib - idle)
                found[f"{named}: most that the process ever had"].append(look.rss_mib_max)
    report.figures += [
        Figure(what=what, unit="MiB", samples=tuple(samples)) for what, samples in found.items()
    ]
    return report


@dataclass(frozen=True, slots=True)
class Load:
    """What the shards have.

    Attributes:
        records: In each page.
        pages: Of each shard.
    """

    shards: int
    records: int
    record_bytes: int
    pages: int


def _idle(shards: int) -> Load:
    return Load(shards, records=1, record_bytes=100, pages=0)


def _full(shards: int, record_bytes: int) -> Load | None:
    """Return pages that fill the budget; None: the service has no pages that large."""
    one, two = (
        len(Pages(records=count, record_bytes=record_bytes, count=1).answer("shardId-0", 0))
        for count in (1, 2)
    )
    records = math.ceil(BUDGET_BYTES * OVER / shards / (two - one))
    return None if records > RECORDS_MAX else Load(shards, records, record_bytes, PAGES)


def _measure(session: Session, load: Load) -> Look:
    with (
        Stub(
            session.tls,
            shards=load.shards,
            pages=load.pages,
            records=load.records,
            record_bytes=load.record_bytes,
        ) as stub,
        Watched("hold", "memory", stub.environment) as worker,
    ):
        settle([worker], all_read(load.shards) if load.pages == 0 else _all_held(load.shards), 0.0)
        return _still(worker)


def _all_held(shards: int) -> Callable[[Sequence[Look]], bool]:
    return lambda looks: looks[0].held == shards


def _still(worker: Watched) -> Look:
    """Wait until memory does not change any more."""
    patience = time.monotonic() + STILL_SECONDS_MAX
    look = worker.look()
    while time.monotonic() < patience:
        time.sleep(STILL_SECONDS)
        before, look = look, worker.look()
        if abs(look.rss_mib - before.rss_mib) < STILL_MIB:
            return look
    raise ChildError("the memory of a worker does not come to rest")
