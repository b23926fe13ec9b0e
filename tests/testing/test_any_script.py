"""Does the kit survive any script at all? Random incidents, shards, batches and processors."""

from __future__ import annotations

import asyncio
import random
from typing import ClassVar

import pytest

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    Batch,
    Checkpointing,
    RecordProcessor,
    ShardContext,
    Throttled,
)
from kcl_py.testing import (
    CrashAfter,
    CrashAt,
    HandOffAfter,
    Incident,
    LoseLeaseAfter,
    LoseLeaseAt,
    MergeAfter,
    SplitAfter,
    ThrottleAfter,
    moment,
    run_processor,
)

CALLS = (
    "initialize",
    "process_records",
    "shutdown_requested",
    "shard_ended",
    "lease_lost",
    "close",
)
ASKED = ("checkpoint", "prepare", "commit")
MOMENTS = ("write", *(f"{name}{end}" for name in (*CALLS, *ASKED) for end in ("", " returned")))

ONCE_STUCK = (196, 202, 552)
"""Seeds of scripts that the kit could not play to their end."""


class Plain(RecordProcessor):
    idle_after: ClassVar[float | None] = 1.0

    def process_records(self, batch: Batch) -> None:
        for _ in batch:
            moment("write")


class Explicit(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"

    def process_records(self, batch: Batch) -> None:
        list(batch)
        moment("write")
        batch.checkpoint()

    def shard_ended(self, shard: ShardContext) -> None:
        moment("write")
        shard.checkpoint()


class TwoPhase(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"

    def initialize(self, shard: ShardContext) -> None:
        if shard.prepared is not None:
            shard.prepared.commit()

    def process_records(self, batch: Batch) -> None:
        list(batch)
        prepared = batch.prepare(state=b"half")
        moment("write")
        prepared.commit()


class Awaits(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        for _ in batch:
            await asyncio.sleep(0)
            moment("write")


def some_incidents(rng: random.Random, records: int, shards: int) -> list[Incident]:
    moments: list[Incident] = [
        kind(moment=rng.choice(MOMENTS), nth=rng.choice((1, 1, 2, 5)))
        for kind in (CrashAt, LoseLeaseAt)
        for _ in range(rng.randrange(3))
    ]
    places = sorted(rng.randrange(records + 1) for _ in range(rng.randrange(5)))
    for place in places:
        kind = rng.choice((CrashAfter, LoseLeaseAfter, HandOffAfter, SplitAfter, MergeAfter))
        if kind is MergeAfter and shards == 1:
            kind = SplitAfter
        shards += {SplitAfter: 1, MergeAfter: -1}.get(kind, 0)
        moments.append(kind(records=place))
    if rng.random() < 0.3:
        seconds = rng.choice((1.0, 5.0, 15.0))
        moments.append(ThrottleAfter(records=rng.randrange(records), seconds=seconds))
    return moments


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(40), *ONCE_STUCK])
def test_every_script_is_played_to_its_end(seed: int) -> None:
    rng = random.Random(seed)
    records, shards = rng.choice((20, 60)), rng.choice((1, 1, 2, 3))
    incidents = some_incidents(rng, records, shards)

    run = run_processor(
        rng.choice((Plain, Explicit, TwoPhase, Awaits)),
        range(records),
        incidents=incidents,
        batch_records=rng.choice((1, 5, 10)),
        shards=shards,
        seed=seed,
    )

    assert run.shard_ended, run.transcript
    assert {record.json() for record in run.delivered} == set(range(records))
    assert {type(error) for error in run.errors} <= {Throttled}, run.transcript
    assert {type(incident) for incident in run.missed} <= {CrashAt, LoseLeaseAt}, run.transcript
