"""What does the kit show of records that are given up?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py import (
    Backoff,
    Batch,
    Checkpointing,
    DeadLetter,
    OnError,
    Position,
    Record,
    RecordFailed,
    RecordProcessor,
    each_record,
)
from kcl_py.testing import (
    CrashAt,
    HandOffAfter,
    LoseLeaseAfter,
    LoseLeaseAt,
    SplitAfter,
    make_record,
    run_processor,
)

QUICK = Backoff(first=0.1, longest=1.0)
PEOPLE: list[Any] = [{"n": n} for n in range(40)]
BOB = make_record(b"not json", key="bob")
WITH_BOB = [*PEOPLE[:17], BOB, *PEOPLE[17:]]


def nowhere(letters: Sequence[DeadLetter]) -> None:
    """Takes everything."""


def policy(**changes: Any) -> OnError:
    usual: dict[str, Any] = {"attempts": 2, "backoff": QUICK, "then": "dead_letter"}
    return OnError(**{"dead_letters": nowhere, **usual, **changes})


def in_batches(batch: Batch) -> None:
    for record in batch:
        record.json()


class Explicit(RecordProcessor):
    """Names what fails, and checkpoints a buffer each seven records."""

    checkpointing: ClassVar[Checkpointing] = "explicit"
    written: ClassVar[list[bytes]] = []

    def initialize(self, shard: object) -> None:
        self.buffer: list[Record] = []

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            self.buffer.append(record)
            if len(self.buffer) >= 7:
                self.flush(batch)

    def shutdown_requested(self, shard: Any) -> None:
        self.flush(shard)

    def shard_ended(self, shard: Any) -> None:
        self.flush(shard)

    def flush(self, checkpointer: Any) -> None:
        """Every record that was kept may be the one that cannot be written."""
        for record in self.buffer:
            try:
                record.json()
            except ValueError as error:
                raise RecordFailed(record) from error
        self.written.extend([record.data for record in self.buffer])
        self.buffer.clear()
        checkpointer.checkpoint()


def test_a_poison_record_is_handed_over_whole() -> None:
    poison = make_record(b"not json", key="bob")

    run = run_processor(
        each_record(lambda record: record.json()),
        [{"age": 1}, poison, {"age": 2}],
        incidents=[LoseLeaseAfter(records=1)],
        on_error=OnError(attempts=2, then="dead_letter", dead_letters=lambda letters: None),
    )

    assert [letter.record.data for letter in run.dead_letters] == [b"not json"]
    assert run.shard_ended
    assert run.finished == run.records[-1].position


@pytest.mark.parametrize("kind", [in_batches, each_record(lambda one: one.json()), Explicit])
@pytest.mark.parametrize("batch_records", [1, 10, 1000])
def test_only_the_poison_is_missing(kind: Any, batch_records: int) -> None:
    run = run_processor(kind, WITH_BOB, on_error=policy(), batch_records=batch_records)

    assert run.shard_ended
    assert run.finished == run.records[-1].position
    (letter,) = run.dead_letters
    assert letter.record == run.records[17]
    assert (letter.record.data, letter.record.partition_key) == (b"not json", "bob")
    assert letter.error_type == "RecordDecodeError"
    assert letter.attempts == 2


@pytest.mark.parametrize("kind", [in_batches, Explicit])
def test_skip_writes_no_letter(kind: Any) -> None:
    run = run_processor(kind, WITH_BOB, on_error=policy(then="skip", dead_letters=None))

    assert run.shard_ended
    assert run.dead_letters == ()


def test_a_record_that_an_explicit_processor_kept_from_an_earlier_batch_can_be_named() -> None:
    Explicit.written.clear()

    run = run_processor(Explicit, WITH_BOB, on_error=policy(), batch_records=3)

    assert run.shard_ended
    assert [letter.record.data for letter in run.dead_letters] == [b"not json"]
    assert sorted(set(Explicit.written)) == sorted({one.data for one in run.records} - {BOB.data})


def test_a_record_that_is_made_up_gets_one_letter_and_then_a_back_off() -> None:
    class MakesUp(RecordProcessor):
        """Names a record that is in no shard, between two that are."""

        checkpointing: ClassVar[Checkpointing] = "explicit"

        def process_records(self, batch: Batch) -> None:
            place = Position(batch[0].sequence_number, 7)
            raise RecordFailed(make_record(b"made up", position=place))

    run = run_processor(MakesUp, PEOPLE, on_error=policy())

    assert not run.shard_ended
    assert run.finished is None
    assert [letter.record.data for letter in run.dead_letters] == [b"made up"]
    assert len(run.errors) < 1_000, "it waits between tries"


def test_the_last_record_of_a_shard_can_be_given_up() -> None:
    for kind in (in_batches, Explicit):
        run = run_processor(kind, [*PEOPLE[:9], BOB], on_error=policy())

        assert run.shard_ended
        assert len(run.dead_letters) == 1


def test_a_whole_shard_of_poison_ends() -> None:
    for kind in (in_batches, Explicit):
        run = run_processor(kind, [BOB] * 5, on_error=policy())

        assert run.shard_ended
        assert [letter.record for letter in run.dead_letters] == list(run.records)


def test_while_the_sink_fails_nothing_passes() -> None:
    def full(letters: Sequence[DeadLetter]) -> None:
        raise OSError("the disk is full")

    run = run_processor(in_batches, WITH_BOB, on_error=policy(dead_letters=full))

    assert not run.shard_ended
    assert run.dead_letters == ()
    assert run.finished == run.records[16].position
    assert len(run.delivered) >= 17
    assert run.records[18] not in run.delivered[:18]
    assert sum(isinstance(error, OSError) for error in run.errors) > 3


@pytest.mark.parametrize("moment", ["write_letter", "write_letter returned"])
@pytest.mark.parametrize("incident", [CrashAt, LoseLeaseAt])
@pytest.mark.parametrize("kind", [in_batches, Explicit])
def test_what_befalls_a_worker_beside_the_sink_loses_nothing(
    kind: Any, incident: Any, moment: str
) -> None:
    run = run_processor(kind, WITH_BOB, on_error=policy(), incidents=[incident(moment=moment)])

    assert run.missed == ()
    assert run.shard_ended
    assert {letter.record for letter in run.dead_letters} == {run.records[17]}
    # A process that was frozen on its way to the sink goes on to write; nobody can recall that.
    is_once = incident is CrashAt and moment == "write_letter"
    assert len(run.dead_letters) == (1 if is_once else 2)


@settings(max_examples=40)
@given(
    poison=st.sets(st.integers(0, 39), max_size=6),
    batch_records=st.sampled_from([1, 3, 10, 100]),
    kind=st.sampled_from([in_batches, each_record(lambda one: one.json()), Explicit]),
    incidents=st.lists(
        st.sampled_from([HandOffAfter, LoseLeaseAfter, SplitAfter]), max_size=2, unique=True
    ),
    at=st.integers(1, 30),
    seed=st.integers(0, 3),
)
def test_any_poison_is_given_up_and_nothing_else(
    poison: set[int], batch_records: int, kind: Any, incidents: list[Any], at: int, seed: int
) -> None:
    data = [b"not json" if n in poison else {"n": n} for n in range(40)]

    run = run_processor(
        kind,
        data,
        on_error=policy(),
        batch_records=batch_records,
        incidents=[incident(records=at) for incident in incidents],
        seed=seed,
    )

    assert run.shard_ended
    assert run.finished == run.records[-1].position
    given_up = {letter.record.position for letter in run.dead_letters}
    assert given_up == {run.records[n].position for n in poison}
