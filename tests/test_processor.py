"""Do batches, contexts and processors keep what their docstrings promise?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.errors import CheckpointOutOfRange, LeaseLost, RecordFailed
from kcl_py.processor import (
    AsyncBatch,
    AsyncShardContext,
    Batch,
    CheckpointKind,
    Fence,
    Handed,
    Run,
    RunFacts,
    ShardContext,
    classify,
    each_record,
)
from kcl_py.processor.runs import STATE_BYTES_MAX, Seen
from kcl_py.records import Position, Record


@dataclass
class Desk:
    """A shell of one run: remembers what was asked, answers at once."""

    clock: float = 0.0
    asked: list[tuple[CheckpointKind, Position, Position | None, bool, bytes]] = field(
        default_factory=list
    )
    audit: Callable[[float, Record], None] | None = None
    error: Exception | None = None

    def now(self) -> float:
        return self.clock

    def checkpoint(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        self.asked.append((kind, at, handed, wait, state))
        if self.error is not None:
            raise self.error
        return None if kind == "prepare" else at

    async def checkpoint_async(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        return self.checkpoint(kind, at, handed, wait=wait, state=state)


FACTS = RunFacts(
    app_name="app",
    stream="people",
    stream_arn="arn:aws:kinesis:eu-west-1:123456789012:stream/people",
    shard_id="shardId-000000000000",
    lease_key="shardId-000000000000",
    worker_id="w-1",
    fencing_token=7,
)


def run_of(desk: Desk, until: float = 10.0, **more: Any) -> Run:
    return Run(facts=FACTS, fence=Fence(until), port=desk, **more)


def records(first: int, count: int) -> list[Record]:
    return [
        Record(sequence_number=str(number), data=b"secret", partition_key="bob")
        for number in range(first, first + count)
    ]


def at(number: int) -> Position:
    return Position(str(number))


def order(position: Position | None) -> int:
    return 0 if position is None else int(position.sequence_number)


# ---------------------------------------------------------------------------------- the guard


def test_the_iterator_raises_at_the_fence_and_yields_nothing_more() -> None:
    desk = Desk()
    batch = Batch(ShardContext(run_of(desk, until=3.0)), records(1, 5))
    seen = []

    def process() -> None:
        for record in batch:
            seen.append(record.sequence_number)
            desk.clock += 1.0

    with pytest.raises(LeaseLost) as lost:
        process()

    assert seen == ["1", "2", "3"]
    assert lost.value.lease_key == FACTS.lease_key


def test_a_lost_fence_stops_the_iterator_between_two_records() -> None:
    run = run_of(Desk(), until=inf)
    iterator = iter(Batch(ShardContext(run), records(1, 3)))
    next(iterator)

    run.fence.lose()

    with pytest.raises(LeaseLost):
        next(iterator)


def test_the_audit_gets_the_clock_reading_of_the_check_before_the_record_is_yielded() -> None:
    desk, log = Desk(), list[tuple[float, str]]()
    desk.audit = lambda read_at, record: log.append((read_at, record.sequence_number))
    iterator = iter(AsyncBatch(AsyncShardContext(run_of(desk)), records(1, 2)))

    desk.clock = 4.0
    next(iterator)

    assert log == [(4.0, "1")]


def test_a_context_past_its_fence_refuses_everything() -> None:
    run = run_of(Desk(clock=10.0), until=10.0)
    shard = ShardContext(run)
    batch = Batch(shard, records(1, 1))

    assert not shard.is_owner
    assert shard.seconds_left() == 0.0
    for refused in (
        shard.ensure_owner,
        shard.checkpoint,
        batch.checkpoint,
        batch.prepare,
        lambda: shard.checkpoint(at(1), wait=False),
    ):
        with pytest.raises(LeaseLost):
            refused()


def test_the_time_left_is_what_the_fence_leaves() -> None:
    shard = ShardContext(run_of(Desk(clock=4.0), until=10.0))

    assert shard.is_owner
    assert shard.seconds_left() == 6.0


# ---------------------------------------------------------------------------- what was handed over


def test_a_checkpoint_without_an_argument_means_what_the_iterator_has_yielded() -> None:
    desk = Desk()
    batch = Batch(ShardContext(run_of(desk)), records(1, 5))

    iterator = iter(batch)
    next(iterator)
    next(iterator)
    batch.checkpoint()
    next(iter(batch))
    batch.checkpoint(wait=False)

    assert desk.asked == [
        ("checkpoint", at(2), at(2), True, b""),
        ("checkpoint", at(2), at(2), False, b""),
    ]


@pytest.mark.parametrize(
    "use",
    [
        lambda batch: batch[0],
        lambda batch: batch[-1],
        lambda batch: batch[1:2],
        list,
        lambda batch: list(reversed(batch)),
    ],
)
def test_indexing_slicing_and_listing_hand_over_the_whole_batch(
    use: Callable[[Batch], object],
) -> None:
    desk = Desk()
    batch = Batch(ShardContext(run_of(desk)), records(1, 5))

    use(batch)
    batch.checkpoint()

    assert [asked[1] for asked in desk.asked] == [at(5)]


def test_looking_at_the_length_hands_over_nothing_and_a_checkpoint_is_then_no_call() -> None:
    desk = Desk()
    batch = Batch(ShardContext(run_of(desk)), records(1, 5))

    assert len(batch) == 5
    assert batch
    batch.checkpoint()

    assert desk.asked == []


def test_an_index_that_is_not_there_hands_over_nothing() -> None:
    desk = Desk()
    batch = Batch(ShardContext(run_of(desk)), records(1, 5))

    with pytest.raises(IndexError):
        batch[5]
    batch.checkpoint()

    assert desk.asked == []


def test_an_empty_batch_keeps_what_was_handed_over_before() -> None:
    desk = Desk()
    shard = ShardContext(run_of(desk))
    list(Batch(shard, records(1, 5)))

    idle = Batch(shard, [])
    idle.checkpoint()

    assert not idle
    assert desk.asked[0][1] == at(5)


def test_after_a_failure_nothing_counts_as_handed_over_until_it_is_again() -> None:
    desk = Desk()
    run = run_of(desk)
    shard = ShardContext(run)
    list(Batch(shard, records(1, 5)))

    run.handed.returned(failed=True)
    shard.checkpoint()
    retry = Batch(shard, records(3, 3), attempt=2)
    shard.checkpoint()
    next(iter(retry))
    shard.checkpoint()

    assert desk.asked == [("checkpoint", at(3), at(5), True, b"")]


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 6), st.booleans(), st.booleans()), max_size=6
    )
)
def test_newest_is_never_ahead_of_highest_and_highest_never_moves_back(
    batches: list[tuple[int, int, bool, bool]],
) -> None:
    handed, first, highest = Handed(), 1, 0
    for count, seen, whole, failed in batches:
        part = handed.begin(records(first, count))
        iterator = part.follow()
        for _ in range(min(seen, count)):
            next(iterator)
        if whole:
            part.whole()
        assert order(handed.newest) <= order(handed.highest)
        handed.returned(failed=failed)
        assert order(handed.newest) <= order(handed.highest)
        assert order(handed.highest) == max(highest, first + count - 1)
        highest = order(handed.highest)
        first += 0 if failed else count


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=4),
    st.sampled_from([list, tuple]),
)
def test_what_iterators_took_counts_but_for_what_the_guard_refused(
    count: int, loops: list[tuple[int, bool]], kind: type[list[Record] | tuple[Record, ...]]
) -> None:
    seen = Seen(kind(records(1, count)))
    farthest = 0
    for wanted, is_refused in loops:
        iterator = seen.follow()
        taken = min(wanted, count)
        for _ in range(taken):
            next(iterator)
        if is_refused and taken:
            seen.refuse(iterator)
            taken -= 1
        farthest = max(farthest, taken)
        assert seen.count == farthest


# ------------------------------------------------------------------------------- checkpoints


def test_checkpoints_take_records_and_positions_and_teach_what_is_durable() -> None:
    desk = Desk()
    run = run_of(desk, durable=at(1))
    shard = ShardContext(run)
    batch = Batch(shard, records(2, 3))
    first, second, _ = batch

    batch.checkpoint(second)
    shard.checkpoint(at(2))
    run.learn(at(1))

    assert [asked[1] for asked in desk.asked] == [at(3), at(2)]
    assert first.position == at(2)
    assert shard.checkpointed == at(3)


def test_a_prepared_checkpoint_keeps_its_state_and_is_committed_at_its_position() -> None:
    desk = Desk()
    batch = Batch(ShardContext(run_of(desk)), records(1, 3))
    list(batch)

    prepared = batch.prepare(at(2), state=b"file-7")
    prepared.commit()

    assert (prepared.position, prepared.state) == (at(2), b"file-7")
    assert desk.asked == [
        ("prepare", at(2), at(3), True, b"file-7"),
        ("commit", at(2), at(3), True, b"file-7"),
    ]
    assert batch.shard.checkpointed == at(2)


def test_what_an_earlier_owner_prepared_is_offered_until_it_is_committed() -> None:
    run = run_of(Desk(), durable=at(1), pending=(at(4), b"s"))
    shard = ShardContext(run)

    prepared = shard.prepared
    assert prepared is not None
    assert (prepared.position, prepared.state) == (at(4), b"s")
    assert "b's'" not in repr(prepared)
    prepared.commit()

    assert shard.prepared is None
    assert shard.checkpointed == at(4)


def test_preparing_nothing_or_too_much_is_refused() -> None:
    shard = ShardContext(run_of(Desk()))

    with pytest.raises(CheckpointOutOfRange, match="nothing was handed over"):
        shard.prepare()
    with pytest.raises(ValueError, match=str(STATE_BYTES_MAX)):
        shard.prepare(at(1), state=b"x" * (STATE_BYTES_MAX + 1))


def test_the_async_twins_do_the_same() -> None:
    desk = Desk()
    shard = AsyncShardContext(run_of(desk, pending=(at(1), b"")))
    batch = AsyncBatch(shard, records(2, 3))

    async def use() -> None:
        assert shard.prepared is not None
        await shard.prepared.commit()
        for _ in batch:
            await batch.checkpoint(wait=False)
        prepared = await batch.prepare(state=b"s")
        await prepared.commit()

    asyncio.run(use())

    assert [(asked[0], asked[1]) for asked in desk.asked] == [
        ("commit", at(1)),
        ("checkpoint", at(2)),
        ("checkpoint", at(3)),
        ("checkpoint", at(4)),
        ("prepare", at(4)),
        ("commit", at(4)),
    ]


def test_reprs_show_no_data() -> None:
    shard = ShardContext(run_of(Desk()))
    batch = Batch(shard, records(1, 2), attempt=3, lag=1.5, at_shard_end=True, size_bytes=18)

    assert "secret" not in repr(batch) + repr(shard)
    assert "bob" not in repr(batch) + repr(shard)
    assert "2 records" in repr(batch)
    assert (batch.attempt, batch.lag, batch.at_shard_end) == (3, 1.5, True)
    assert (batch.size_bytes, batch.fencing_token) == (18, 7)
    assert Batch(shard, records(1, 2)).size_bytes == 2 * len(b"secret" + b"bob")


# ------------------------------------------------------------------------------ one record each


def test_each_record_names_the_culprit_and_keeps_its_cause() -> None:
    @each_record
    def refuse_two(record: Record) -> None:
        if record.sequence_number == "2":
            raise ZeroDivisionError

    with pytest.raises(RecordFailed) as failed:
        refuse_two().process_records(Batch(ShardContext(run_of(Desk())), records(1, 3)))

    assert failed.value.position == at(2)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("error", [LeaseLost(), RecordFailed(records(1, 1)[0], retry=False)])
def test_each_record_lets_our_own_signals_pass(error: Exception) -> None:
    def refuse(record: Record) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        each_record(refuse)().process_records(Batch(ShardContext(run_of(Desk())), records(1, 3)))

    assert raised.value is error


def test_each_record_of_an_async_function_is_an_async_processor() -> None:
    seen: list[str] = []

    @each_record
    async def note(record: Record) -> None:
        if seen:
            raise ZeroDivisionError
        seen.append(record.sequence_number)

    async def use() -> None:
        await note().process_records(AsyncBatch(AsyncShardContext(run_of(Desk())), records(1, 3)))

    with pytest.raises(RecordFailed) as failed:
        asyncio.run(use())
    assert failed.value.position == at(2)
    assert classify(note).make() is not classify(note).make()
