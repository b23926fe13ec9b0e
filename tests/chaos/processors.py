"""What do the workers run under chaos? Processors good and bad, chosen by `CHAOS_KIND`.

    steady       checks off each record as it comes
    whole-batch  checks off nothing before the end of the batch; raises in the middle at times
    raising      names the record that it failed at; raises in the other calls, too
    slow         takes its time, at times longer than `delivery.hung_after`
    buffering    explicit: checkpoints now and then, at times without waiting
    two-phase    explicit: prepares, checks off, commits; an heir does what was prepared
    async        whole-batch on a loop

What is finished goes to the log that `CHAOS_DONE` names, before the library is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    Record,
    RecordFailed,
    RecordProcessor,
    ShardContext,
    Throttled,
    Unavailable,
)
from kcl_py.processor import Checkpointing
from tests.chaos.done import DoneLog
from tests.chaos.plants import PLANTS

BUFFER_RECORDS: Final = 25
HANG_SECONDS: Final = 4.0

_rng = random.Random(os.environ.get("CHAOS_SEED", "0"))


class Trouble(Exception):
    """What a processor raises when it is out of luck."""


@functools.cache
def done_log() -> DoneLog:
    """One file for all shards of the process."""
    return DoneLog(os.environ["CHAOS_DONE"])


def note(shard: ShardContext | AsyncShardContext, records: Sequence[Record]) -> None:
    done_log().note(shard.lease_key, [record.sequence_number for record in records])


def is_unlucky(probability: float) -> bool:
    return _rng.random() < probability


class Steady(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for record in batch:
            note(batch.shard, [record])


class WholeBatch(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        seen: list[Record] = []
        for record in batch:
            seen.append(record)
            if is_unlucky(0.001):
                raise Trouble
        note(batch.shard, seen)


class Raising(RecordProcessor):
    def initialize(self, shard: ShardContext) -> None:
        if is_unlucky(0.1):
            raise Trouble

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            if is_unlucky(0.005):
                raise RecordFailed(record, "out of luck") from Trouble()
            note(batch.shard, [record])
        if is_unlucky(0.02):
            raise Trouble

    def shutdown_requested(self, shard: ShardContext) -> None:
        if is_unlucky(0.2):
            raise Trouble

    def shard_ended(self, shard: ShardContext) -> None:
        if is_unlucky(0.3):
            raise Trouble


class Slow(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for record in batch:
            time.sleep(HANG_SECONDS if is_unlucky(0.0005) else 0.002)
            note(batch.shard, [record])

    def shutdown_requested(self, shard: ShardContext) -> None:
        time.sleep(_rng.uniform(0.0, 1.0))


class Buffering(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"
    idle_after: ClassVar[float | None] = 2.0

    def __init__(self) -> None:
        self.open: list[Record] = []

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            self.open.append(record)
            if len(self.open) >= BUFFER_RECORDS:
                self.flush(batch.shard)
            if is_unlucky(0.0005):
                raise Trouble
        if not len(batch):
            self.flush(batch.shard)

    def shutdown_requested(self, shard: ShardContext) -> None:
        self.flush(shard)

    def shard_ended(self, shard: ShardContext) -> None:
        self.flush(shard)
        if self.open:
            raise Trouble
        shard.checkpoint()

    def flush(self, shard: ShardContext) -> None:
        if self.open:
            note(shard, self.open)
            last, self.open = self.open[-1], []
            with contextlib.suppress(Throttled, Unavailable):  # It stays recorded.
                shard.checkpoint(last, wait=is_unlucky(0.5))


class TwoPhase(Buffering):
    """Stores what it is about to do, does it, and commits; an heir does what was left undone."""

    def initialize(self, shard: ShardContext) -> None:
        left = shard.prepared
        if left is not None:
            done_log().note(shard.lease_key, left.state.decode().split())
            left.commit()

    def flush(self, shard: ShardContext) -> None:
        if not self.open:
            return
        state = " ".join(record.sequence_number for record in self.open).encode()
        try:
            prepared = shard.prepare(self.open[-1], state=state)
        except (Throttled, Unavailable):
            return
        note(shard, self.open)
        self.open = []
        with contextlib.suppress(Throttled, Unavailable):
            prepared.commit()


class OnALoop(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        seen: list[Record] = []
        for record in batch:
            seen.append(record)
            if is_unlucky(0.01):
                await asyncio.sleep(0.05)
            if is_unlucky(0.001):
                raise Trouble
        note(batch.shard, seen)


MAKERS: Final[dict[str, Callable[[], RecordProcessor | AsyncRecordProcessor]]] = {
    "steady": Steady,
    "whole-batch": WholeBatch,
    "raising": Raising,
    "slow": Slow,
    "buffering": Buffering,
    "two-phase": TwoPhase,
    "async": OnALoop,
}


if os.environ.get("CHAOS_PLANT"):
    PLANTS[os.environ["CHAOS_PLANT"]]()


def make() -> RecordProcessor | AsyncRecordProcessor:
    """One processor, of the kind that this process is to run."""
    return MAKERS[os.environ["CHAOS_KIND"]]()
