"""Whole lives of processors on the production core, in milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Backoff,
    Batch,
    Checkpointer,
    Checkpointing,
    ConfigError,
    LeaseLost,
    OnError,
    Record,
    RecordFailed,
    RecordProcessor,
    ShardContext,
    each_record,
)
from kcl_py.testing import (
    CrashAfter,
    HandOffAfter,
    Incident,
    LoseLeaseAfter,
    ProcessorRun,
    SplitAfter,
    make_record,
    run_processor,
)

PEOPLE = [{"n": n} for n in range(100)]


class Buffered(RecordProcessor):
    """Explicit checkpoints, a buffer that must be flushed."""

    checkpointing: ClassVar[Checkpointing] = "explicit"
    written: ClassVar[list[bytes]] = []

    def initialize(self, shard: ShardContext) -> None:
        self.buffer: list[bytes] = []

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            self.buffer.append(record.data)
            if len(self.buffer) >= 7:
                self.flush(batch)

    def shutdown_requested(self, shard: ShardContext) -> None:
        self.flush(shard)

    def shard_ended(self, shard: ShardContext) -> None:
        self.flush(shard)

    def flush(self, checkpointer: Checkpointer) -> None:
        self.written.extend(self.buffer)
        self.buffer.clear()
        checkpointer.checkpoint()


def numbers(run: ProcessorRun) -> list[int]:
    return [record.json()["n"] for record in run.delivered]


def test_a_function_gets_every_record_once_and_in_order() -> None:
    seen: list[int] = []

    def collect(batch: Batch) -> None:
        seen.extend(record.json()["n"] for record in batch)

    run = run_processor(collect, PEOPLE)

    assert seen == numbers(run) == list(range(100))
    assert run.shard_ended
    assert run.finished == run.records[-1].position
    assert (run.duplicates, run.errors, run.dead_letters) == ((), (), ())
    assert run.calls[0] == "epoch 1: initialize"
    assert run.calls[-2:] == ("epoch 1: shard_ended", "epoch 1: close")


def test_batches_are_as_small_as_asked() -> None:
    sizes: list[int] = []

    run_processor(lambda batch: sizes.append(len(batch)), PEOPLE, batch_records=8)

    assert max(sizes) == 8
    assert sum(sizes) == 100


def test_the_buffer_is_flushed_at_a_handoff() -> None:
    Buffered.written.clear()

    run = run_processor(
        Buffered, PEOPLE, incidents=[HandOffAfter(records=30), CrashAfter(records=70)]
    )

    assert run.shard_ended
    assert run.finished == run.records[-1].position
    assert run.calls[0] == "epoch 1: initialize"
    assert "epoch 1: shutdown_requested" in run.calls
    assert len(set(Buffered.written)) == 100
    assert run.calls[-1] == "epoch 3: close"


def test_a_crash_repeats_what_was_not_checkpointed_and_nothing_else() -> None:
    run = run_processor(
        each_record(lambda record: None), PEOPLE, incidents=[CrashAfter(records=55)]
    )

    assert run.shard_ended
    assert sorted(set(numbers(run))) == list(range(100))
    assert run.duplicates
    assert "epoch 1: close" not in run.calls
    assert "epoch 2: initialize" in run.calls


def test_a_handoff_repeats_nothing() -> None:
    run = run_processor(
        each_record(lambda record: None), PEOPLE, incidents=[HandOffAfter(records=40)]
    )

    assert run.duplicates == ()
    assert numbers(run) == list(range(100))
    assert "epoch 2: initialize" in run.calls


def test_a_lost_lease_ends_the_iterator() -> None:
    lost: list[str] = []

    class Watches(RecordProcessor):
        def process_records(self, batch: Batch) -> None:
            try:
                for _ in batch:
                    pass
            except LeaseLost:
                lost.append(batch.shard.worker_id)
                raise

        def lease_lost(self, shard: ShardContext) -> None:
            assert not shard.is_owner

    run = run_processor(Watches, PEOPLE, incidents=[LoseLeaseAfter(records=25)])

    assert len(lost) == 1
    assert run.errors == ()
    assert run.shard_ended
    assert "epoch 1: lease_lost" in run.calls
    assert sorted(set(numbers(run))) == list(range(100))


def test_a_split_is_followed_into_both_children() -> None:
    people = [make_record({"n": n}, key=f"person-{n}") for n in range(100)]

    run = run_processor(
        each_record(lambda record: None), people, incidents=[SplitAfter(records=50)]
    )

    assert run.shard_ended
    assert sorted(numbers(run)) == list(range(100))
    assert sum(call.endswith("shard_ended") for call in run.calls) == 3


def test_a_poison_record_is_retried_and_named() -> None:
    tries: list[int] = []

    def fussy(record: Record) -> None:
        number = record.json()["n"]
        if number == 42 and len(tries) < 2:
            tries.append(number)
            raise ValueError("poison")

    run = run_processor(each_record(fussy), PEOPLE)

    assert tries == [42, 42]
    assert [type(error) for error in run.errors] == [RecordFailed, RecordFailed]
    assert run.shard_ended
    assert {record.json()["n"] for record in run.duplicates} == {42}


def test_a_processor_that_never_succeeds_ends_the_run_and_skips_nothing() -> None:
    def never(batch: Batch) -> None:
        raise RuntimeError("no database")

    policy = OnError(attempts=2, backoff=Backoff(first=0.1, longest=1.0))
    run = run_processor(never, [1, 2, 3], on_error=policy)

    assert not run.shard_ended
    assert run.finished is None
    assert len(run.errors) >= 2


def test_an_async_processor_runs_too() -> None:
    class Store(AsyncRecordProcessor):
        async def initialize(self, shard: AsyncShardContext) -> None:
            self.rows: list[bytes] = []

        async def process_records(self, batch: AsyncBatch) -> None:
            self.rows.extend([record.data for record in batch])
            await batch.checkpoint()

    run = run_processor(Store, PEOPLE, incidents=[CrashAfter(records=20)])

    assert run.shard_ended
    assert run.errors == ()
    assert run.finished == run.records[-1].position


def test_an_async_processor_is_not_run_from_inside_a_loop() -> None:
    class Store(AsyncRecordProcessor):
        async def process_records(self, batch: AsyncBatch) -> None:
            pass

    async def inside() -> None:
        with pytest.raises(RuntimeError, match="to_thread"):
            run_processor(Store, [1])
        assert run_processor(each_record(lambda record: None), [1]).shard_ended

    asyncio.run(inside())


def test_a_quiet_shard_is_told_so() -> None:
    sizes: list[int] = []

    class Flushes(RecordProcessor):
        idle_after: ClassVar[float | None] = 0.1

        def process_records(self, batch: Batch) -> None:
            sizes.append(len(batch))

    run = run_processor(Flushes, [1, 2, 3], incidents=[HandOffAfter(records=3)])

    assert 0 in sizes
    assert sum(sizes) == 3
    assert run.shard_ended


def test_a_prepared_checkpoint_is_found_by_the_next_owner() -> None:
    found: list[bytes] = []

    class TwoPhase(RecordProcessor):
        checkpointing: ClassVar[Checkpointing] = "explicit"

        def initialize(self, shard: ShardContext) -> None:
            if shard.prepared is not None:
                found.append(shard.prepared.state)
                shard.prepared.commit()

        def process_records(self, batch: Batch) -> None:
            for _ in batch:
                pass
            prepared = batch.prepare(state=b"written")
            if found:
                prepared.commit()

    run = run_processor(TwoPhase, PEOPLE, incidents=[CrashAfter(records=10)], batch_records=10)

    assert found == [b"written"]
    assert run.duplicates == ()
    assert run.finished == run.records[-1].position


def test_effects_with_token_and_position_happen_exactly_once() -> None:
    """Section 5 of the usage examples, with a dictionary for PostgreSQL."""
    progress = {"token": 0, "place": 0}
    ledger: list[int] = []

    class Ledger(RecordProcessor):
        def initialize(self, shard: ShardContext) -> None:
            if shard.fencing_token < progress["token"]:
                raise LeaseLost("a newer owner wrote here already")
            progress["token"] = shard.fencing_token

        def process_records(self, batch: Batch) -> None:
            for record in batch:
                if batch.fencing_token != progress["token"]:
                    raise LeaseLost("fenced out by a newer owner")
                if int(record.sequence_number) > progress["place"]:
                    ledger.append(record.json()["n"])
                    progress["place"] = int(record.sequence_number)

    incidents: list[Incident] = [
        CrashAfter(records=15),
        LoseLeaseAfter(records=40),
        HandOffAfter(records=60),
        CrashAfter(records=85),
    ]
    run = run_processor(Ledger, PEOPLE, incidents=incidents)

    assert ledger == list(range(100))
    assert run.shard_ended
    assert run.duplicates


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_does_the_same(seed: int) -> None:
    def once() -> ProcessorRun:
        return run_processor(
            each_record(lambda record: None), PEOPLE, incidents=[CrashAfter(records=33)], seed=seed
        )

    assert once().transcript == once().transcript


def test_assertions_of_a_test_inside_user_code_are_among_the_errors() -> None:
    def wrong(batch: Batch) -> None:
        assert len(batch) > 1_000

    run = run_processor(wrong, [1], on_error=OnError(attempts=1))

    assert isinstance(run.errors[0], AssertionError)


def test_what_is_no_processor_is_refused() -> None:
    with pytest.raises(ConfigError):
        run_processor("nothing", [1])  # type: ignore[arg-type] # that is the point


def test_no_records_end_at_once() -> None:
    calls: list[Callable[[], None]] = []

    run = run_processor(lambda batch: calls.append(lambda: None), [])

    assert run.shard_ended
    assert run.finished is None
    assert calls == []
