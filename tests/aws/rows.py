"""Which rows and writes are there to try? Strategies for hypothesis."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import strategies as st

from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.repairs import Anew
from kcl_py.core.leases.rows import (
    ApplicationRow,
    LeaseRow,
    Pending,
    Row,
    Sentinel,
    WorkerRow,
    WorkerState,
)
from kcl_py.core.leases.writes import Absent, Is, OwnedBy, RowAbsent, RowWrite, Test
from kcl_py.records import Position

names = st.text("abc-:0é", min_size=1, max_size=8)
workers = st.sampled_from(["a-1-xx", "b-2-yy", "c-3-zz"])
counters = st.integers(1, 2**40)
milliseconds = st.integers(1, 2**42).map(lambda value: value / 1000)
positions = st.builds(Position, st.integers(0, 10**56).map(str), st.integers(0, 1000))
checkpoints = st.one_of(positions, st.sampled_from(Sentinel))
name_sets = st.sets(names, max_size=3).map(lambda found: tuple(sorted(found)))
hash_ranges = st.tuples(st.integers(0, 2**127), st.integers(2**127, 2**128 - 1))
pendings = st.builds(Pending, position=positions, state=st.binary(max_size=20))
anews = st.builds(
    Anew, checkpoint=checkpoints, start_at=st.none() | milliseconds, root=st.booleans()
)

lease_rows = st.builds(
    LeaseRow,
    key=st.just("shardId-000000000001"),
    counter=counters,
    checkpoint=checkpoints,
    owner=st.none() | workers,
    checkpoint_owner=st.none() | workers,
    nonce=st.none() | names,
    duration=st.none() | milliseconds,
    offer=st.none() | counters,
    start_at=st.none() | milliseconds,
    root=st.booleans(),
    paused=st.booleans(),
    halted=st.booleans(),
    marks=st.none() | counters,
    parents=name_sets,
    children=name_sets,
    hash_range=st.none() | hash_ranges,
    owner_switches=st.integers(0, 100),
    pending=st.none() | pendings,
)
worker_rows = st.builds(
    WorkerRow,
    key=workers,
    beat=counters,
    state=st.sampled_from(WorkerState),
    lease_max=st.none() | st.integers(1, 1000),
    plan_version=st.integers(1, 9),
    duration=st.none() | milliseconds,
)
application_rows = st.builds(
    ApplicationRow,
    stream_arn=names,
    stream_created_at=milliseconds,
    table_id=names,
    protocol=st.integers(1, 9),
    position=st.sampled_from([Sentinel.TRIM_HORIZON, Sentinel.LATEST, Sentinel.AT_TIMESTAMP]),
    start_at=st.none() | milliseconds,
)


@st.composite
def lease_writes(draw: st.DrawFn, row: LeaseRow) -> RowWrite:
    """Any write of the protocol on a row; often, but not always, one whose condition holds."""
    me, other = draw(workers), draw(workers)
    base = draw(st.sampled_from([row.counter, row.counter + 1]))
    nonce, duration = draw(names), draw(milliseconds)
    checkpoint = draw(st.none() | checkpoints)
    pending = draw(st.none() | pendings)
    key = row.key
    # As it may have been read before somebody else wrote.
    read = replace(row, counter=base, marks=draw(st.sampled_from([row.marks, None, 1])))
    return draw(
        st.sampled_from(
            [
                writes.create(row),
                writes.take(
                    replace(row, counter=base),
                    me=me,
                    nonce=nonce,
                    duration=duration,
                    counter=base + 9,
                ),
                writes.renew(
                    key,
                    me=me,
                    base=base,
                    nonce=nonce,
                    duration=duration,
                    checkpoint=checkpoint,
                    pending=pending,
                    clear_pending=draw(st.booleans()),
                    paused=draw(st.none() | st.booleans()),
                ),
                writes.request(key, me=me, victim=other),
                writes.withdraw(key, me=me, victim=other),
                writes.cancel(
                    key, me=me, base=base, nonce=nonce, duration=duration, checkpoint=checkpoint
                ),
                writes.transfer(
                    key, me=me, taker=other, base=base, nonce=nonce, checkpoint=checkpoint
                ),
                writes.release(
                    key,
                    me=me,
                    successor=draw(st.none() | workers),
                    base=base,
                    nonce=nonce,
                    checkpoint=checkpoint,
                ),
                writes.end(key, me=me, base=base, nonce=nonce, children=draw(name_sets)),
                writes.delete(replace(row, counter=base)),
                repairs.resume(read),
                repairs.seize(
                    read, nonce=nonce, anew=draw(st.none() | anews), above=draw(counters)
                ),
                *([] if row.is_finished else [repairs.halt(read)]),
            ]
        )
    )


@st.composite
def worker_writes(draw: st.DrawFn, row: WorkerRow) -> RowWrite:
    """Any write on a worker row."""
    seen = draw(st.sampled_from([row.beat, row.beat + 1]))
    return draw(
        st.sampled_from(
            [
                writes.create_worker(row),
                writes.beat(row.key, seen=seen, state=draw(st.sampled_from(WorkerState))),
                writes.remove_worker(row.key, seen=seen),
            ]
        )
    )


def creation(row: LeaseRow | WorkerRow | ApplicationRow) -> RowWrite:
    """The write that makes a row from nothing."""
    match row:
        case LeaseRow():
            return writes.create(row)
        case WorkerRow():
            return writes.create_worker(row)
        case ApplicationRow():
            return writes.create_application(row)


def holds(test: Test, row: Row | None) -> bool:
    """The plain meaning of a condition."""
    match test:
        case RowAbsent():
            return row is None
        case _ if row is None:
            return False
        case Is(name, value):
            return bool(getattr(row, name) == value)
        case Absent(name):
            return getattr(row, name) in (None, False, ())
        case OwnedBy(worker):
            assert isinstance(row, LeaseRow)
            return row.actual_owner == worker


def evaluate(
    write: RowWrite, row: LeaseRow | WorkerRow | ApplicationRow | None, kind: type
) -> tuple[bool, Row | None]:
    """The plain meaning of a write: whether it applies, and the row afterwards."""
    if not all(holds(test, row) for test in write.tests):
        return False, row
    if write.deletes:
        return True, None
    empty = {field.name: field.default for field in fields(kind)}
    sets: dict[str, Any] = {
        name: empty[name] if value is None else value for name, value in write.sets.items()
    }
    if row is not None:
        return True, replace(row, **sets)
    made: Row = kind(key=write.key, **sets)
    return True, made
