"""Records and batches for plain unit tests."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from kcl_py import (
    AsyncBatch,
    Batch,
    Checkpointer,
    Checkpointing,
    CheckpointOutOfRange,
    LeaseLost,
    Position,
    RecordProcessor,
    ShardContext,
)
from kcl_py.testing import FakeClock, make_async_batch, make_batch, make_record


def test_a_record_carries_its_payload_as_it_is_or_as_json() -> None:
    assert make_record(b"raw").data == b"raw"
    assert make_record("text").text() == "text"
    assert make_record({"age": 3}).json() == {"age": 3}


def test_a_record_is_what_it_was_told_to_be() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)

    record = make_record(b"", key="bob", position=Position("7", 2), arrival_time=noon)

    assert record.partition_key == "bob"
    assert record.position == Position("7", 2)
    assert record.arrival_time == noon


def test_records_lie_in_the_order_in_which_they_were_made() -> None:
    first, second = make_record(b"1"), make_record(b"2")

    assert first.position < second.position


def test_a_batch_is_in_order_whatever_it_is_made_of() -> None:
    poison = make_record(b"poison")
    batch, _ = make_batch([{"n": 1}, poison, {"n": 2}])

    places = [record.position for record in batch]

    assert places == sorted(set(places))
    assert batch[1].data == b"poison"


def test_the_checkpoints_asked_for_are_in_the_log() -> None:
    batch, checkpoints = make_batch([b"a", b"b", b"c"])
    records = list(batch)

    batch.checkpoint(at=records[0])
    batch.checkpoint()

    assert checkpoints.positions == (records[0].position, records[2].position)
    assert checkpoints.last == records[2].position
    assert batch.shard.checkpointed == records[2].position


def test_a_prepared_checkpoint_counts_when_it_is_committed() -> None:
    batch, checkpoints = make_batch([b"a", b"b"])
    list(batch)

    prepared = batch.prepare(state=b"half")
    assert checkpoints.last is None
    prepared.commit()

    assert checkpoints.last == batch[1].position


def test_a_checkpoint_beyond_what_was_handed_over_is_refused() -> None:
    batch, checkpoints = make_batch([b"a", b"b", b"c"])
    iterator = iter(batch)
    next(iterator)

    with pytest.raises(CheckpointOutOfRange):
        batch.checkpoint(at=Position("99999999999999999999"))

    assert checkpoints.last is None


def test_a_checkpoint_does_not_go_back() -> None:
    batch, _ = make_batch([b"a", b"b"])
    first, second = list(batch)
    batch.checkpoint(at=second)

    with pytest.raises(CheckpointOutOfRange):
        batch.checkpoint(at=first)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_iterator_raises_behind_the_record_after_which_the_lease_is_lost(count: int) -> None:
    batch, checkpoints = make_batch([b"a", b"b", b"c", b"d"], lose_lease_after=count)
    iterator = iter(batch)
    for _ in range(count):
        next(iterator)

    with pytest.raises(LeaseLost):
        next(iterator)

    assert not batch.shard.is_owner
    with pytest.raises(LeaseLost):
        batch.checkpoint()
    assert checkpoints.last is None


def test_token_and_shard_are_as_asked() -> None:
    batch, _ = make_batch([b"a"], shard_id="shardId-000000000007", fencing_token=42)

    assert batch.fencing_token == batch.shard.fencing_token == 42
    assert batch.shard.shard_id == batch.shard.lease_key == "shardId-000000000007"


def test_an_async_batch_is_the_twin() -> None:
    batch, checkpoints = make_async_batch([b"a", b"b"], lose_lease_after=2)

    async def process(batch: AsyncBatch) -> None:
        for record in batch:
            await batch.checkpoint(at=record) if record.data == b"a" else None

    asyncio.run(process(batch))

    assert checkpoints.last == batch[0].position


class HourlyFile(RecordProcessor):
    """Section 2 of the usage examples, with a list for a file."""

    checkpointing: ClassVar[Checkpointing] = "explicit"

    def initialize(self, shard: ShardContext) -> None:
        self.buffer: list[bytes] = []
        self.written: list[bytes] = []

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            self.buffer.append(record.data)
            if len(self.buffer) >= 1_000:
                self.flush(batch)

    def shutdown_requested(self, shard: ShardContext) -> None:
        self.flush(shard)

    def flush(self, checkpointer: Checkpointer) -> None:
        self.written.extend(self.buffer)
        self.buffer.clear()
        checkpointer.checkpoint()


def test_nothing_is_checkpointed_after_the_lease_is_lost() -> None:
    batch, checkpoints = make_batch([{"age": 30}, {"age": 40}], lose_lease_after=1)
    processor = HourlyFile()
    with closing(processor):
        processor.initialize(batch.shard)
        with pytest.raises(LeaseLost):
            processor.process_records(batch)

    assert checkpoints.last is None


def test_what_was_flushed_at_a_shutdown_is_checkpointed() -> None:
    batch, checkpoints = make_batch([{"n": n} for n in range(5)])
    processor = HourlyFile()
    processor.initialize(batch.shard)
    processor.process_records(batch)

    processor.shutdown_requested(batch.shard)

    assert checkpoints.last == batch[4].position
    assert len(processor.written) == 5


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock(5.0)

    clock.advance(2.5)

    assert clock.now() == 7.5
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1.0)


def test_the_kit_needs_no_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None; import kcl_py.testing"
    root = Path(__file__).resolve().parents[2]

    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, capture_output=True)

    assert done.returncode == 0, done.stderr.decode()
