"""What does the guard cost, for every record? A batch next to the list that it stands on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from kcl_py.processor import Batch, Fence, Run, RunFacts, ShardContext
from kcl_py.records import Record
from kcl_py.shell.checkpoints import CheckpointDesk, Port
from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.bench.figures import Figure, Report, Target
from tests.bench.session import Session

RECORDS: Final = 10_000
UNIT: Final = "µs"
GUARD_MICROSECONDS_MAX: Final = 0.15


def run(session: Session) -> Report:
    """Iterate over both, in turns."""
    records = [Record(sequence_number=str(number), data=b"x") for number in range(RECORDS)]
    bare: list[float] = []
    guarded: list[float] = []
    for number in range(20 * session.rounds()):
        if number == 0:
            session.say("guard")
        bare.append(_microseconds(records))
        guarded.append(_microseconds(batch_of(records)))
    report = Report(name="guard", title="The guard")
    report.figures += [
        Figure(what="a record of a plain list", unit=UNIT, samples=tuple(bare)),
        Figure(what="a record of a batch", unit=UNIT, samples=tuple(guarded)),
    ]
    report.targets.append(
        Target(
            what="a guarded record",
            samples=tuple(guarded),
            limit=GUARD_MICROSECONDS_MAX,
            sense="at most",
            unit=UNIT,
        )
    )
    return report


def batch_of(records: list[Record]) -> Batch:
    """Return what a processor gets, on the clock that a worker has."""
    fence = Fence(until=SYSTEM_CLOCK.now() + 3600.0)
    port = Port(CheckpointDesk(lambda _: None), SYSTEM_CLOCK.now, fence, 1, "shard", None)
    facts = RunFacts(
        app_name="bench",
        stream="people",
        stream_arn="",
        shard_id="shard",
        lease_key="shard",
        worker_id="bench",
        fencing_token=1,
    )
    return Batch(ShardContext(Run(facts=facts, fence=fence, port=port)), records)


def _microseconds(records: Iterable[Record]) -> float:
    """Return what one record takes in a loop that does nothing."""
    begun = time.thread_time()
    for _ in records:
        pass
    return (time.thread_time() - begun) / RECORDS * 1e6
