"""Do the two simulated tables behave alike? Requests at random, and whole worlds on both."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import (
    ApplicationRow,
    LeaseRow,
    Pending,
    Sentinel,
    WorkerRow,
    WorkerState,
)
from kcl_py.records import Position
from kcl_py.testing.seeds.plans import Ending, draw_plan
from kcl_py.testing.seeds.simulate import simulate_plan
from kcl_py.testing.sim.clocks import WORLD_BEGAN_AT
from kcl_py.testing.sim.row_store import RowStore
from kcl_py.testing.sim.wire_store import WireStore

if TYPE_CHECKING:
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.testing.sim.store import MakeStore, TableStore

KEYS = ("shardId-000000000000", "shardId-000000000001", "shardId-000000000002")
WORKERS = ("w1", "w2", "w3")
NAME = "kcl-application"

keys, workers = st.sampled_from(KEYS), st.sampled_from(WORKERS)
counters = st.integers(0, 3)
durations = st.sampled_from((3.0, 10.0, 33.3333))
positions = st.builds(Position, st.sampled_from(("5", "70", "1234")), st.integers(0, 2))
checkpoints = st.one_of(positions, st.sampled_from(sorted(Sentinel)))
news = st.none() | positions
names = st.lists(keys, max_size=2).map(tuple)
pendings = st.builds(Pending, position=positions, state=st.sampled_from((b"", b"half")))
leases = st.builds(
    LeaseRow,
    key=keys,
    counter=counters,
    checkpoint=checkpoints,
    owner=st.none() | workers,
    checkpoint_owner=st.none() | workers,
    nonce=st.just("n"),
    duration=st.none() | durations,
    offer=st.none() | counters,
    start_at=st.none() | st.just(1_790_000_000.12345),
    root=st.booleans(),
    paused=st.booleans(),
    halted=st.booleans(),
    marks=st.none() | counters,
    parents=names,
    children=names,
    hash_range=st.none() | st.just((0, 2**128 - 1)),
    owner_switches=counters,
    pending=st.none() | pendings,
)
worker_rows = st.builds(
    WorkerRow,
    key=workers,
    beat=counters,
    lease_max=st.none() | counters,
    duration=st.none() | durations,
)
applications = st.builds(
    ApplicationRow,
    stream_arn=st.just("arn"),
    stream_created_at=st.just(1_790_000_000.98765),
    table_id=st.just("id"),
    protocol=st.just(1),
    position=st.just(Sentinel.LATEST),
    start_at=st.none() | st.just(1_790_000_000.98765),
)


def owner_writes() -> st.SearchStrategy[RowWrite]:
    """Everything that an owner writes, on a counter that may be right."""
    nonces = st.just("m")
    return st.one_of(
        st.builds(
            writes.renew, keys, me=workers, base=counters, nonce=nonces, duration=durations,
            checkpoint=news, pending=st.none() | pendings, clear_pending=st.booleans(),
            paused=st.none() | st.booleans(), above=counters,
        ),
        st.builds(
            writes.cancel, keys, me=workers, base=counters, nonce=nonces, duration=durations,
            checkpoint=news,
        ),
        st.builds(
            writes.transfer, keys, me=workers, taker=workers, base=counters, nonce=nonces,
            checkpoint=news,
        ),
        st.builds(
            writes.release, keys, me=workers, successor=st.none() | workers, base=counters,
            nonce=nonces, checkpoint=news,
        ),
        st.builds(writes.end, keys, me=workers, base=counters, nonce=nonces, children=names),
    )  # fmt: skip


def writes_by_hand() -> st.SearchStrategy[RowWrite]:
    """What somebody writes who is no worker."""
    return st.one_of(
        leases.filter(lambda row: not row.is_finished).map(repairs.halt),
        leases.map(repairs.resume),
        st.builds(repairs.seize, leases, nonce=st.just("h"), above=counters),
    )


def all_writes() -> st.SearchStrategy[RowWrite]:
    """Every write of the protocol."""
    return st.one_of(
        leases.map(writes.create),
        st.builds(
            writes.take,
            leases,
            me=workers,
            nonce=st.just("t"),
            duration=durations,
            counter=counters,
        ),
        owner_writes(),
        st.builds(writes.request, keys, me=workers, victim=workers),
        st.builds(writes.withdraw, keys, me=workers, victim=workers),
        leases.map(writes.delete),
        writes_by_hand(),
        worker_rows.map(writes.create_worker),
        st.builds(writes.beat, workers, seen=counters, state=st.sampled_from(WorkerState)),
        st.builds(writes.remove_worker, workers, seen=counters),
        applications.map(writes.create_application),
        applications.map(writes.finish_initial_sync),
    )


class Clock:
    """True time, moved by hand."""

    now = WORLD_BEGAN_AT


def make(kind: MakeStore, clock: Clock) -> TableStore:
    rng = random.Random(0)
    return kind(
        lambda: clock.now,
        rng,
        stale=lambda: rng.choice((0.0, 1.0, 5.0)),
        index_lag=lambda: rng.choice((0.0, 2.0)),
    )


@given(st.lists(st.tuples(all_writes(), st.booleans()), max_size=30))
def test_the_same_requests_get_the_same_answers(requests: list[tuple[RowWrite, bool]]) -> None:
    clock = Clock()
    wire, rows = make(WireStore, clock), make(RowStore, clock)
    assert wire.table_id() == rows.table_id()

    for write, backed_up in requests:
        clock.now += 0.5
        assert rows.write(write) == wire.write(write), write
        assert rows.look(write.key) == wire.look(write.key)
        assert rows.read_many((*KEYS, NAME)) == wire.read_many((*KEYS, NAME))
        assert [rows.owned_by(worker) for worker in WORKERS] == [
            wire.owned_by(worker) for worker in WORKERS
        ]
        assert scanned(rows) == scanned(wire)
        assert rows.look_at_all() == wire.look_at_all()
        if backed_up:
            old, new = wire.save(), rows.save()
            wire.drop()
            rows.drop()
            assert rows.table_id() is wire.table_id() is None
            wire.restore(old)
            rows.restore(new)


def scanned(table: TableStore) -> list[object]:
    """Both kinds of scan, two rows at a time."""
    pages: list[object] = []
    for consistent in (True, False):
        start = None
        for _ in range(10):
            page, start = table.scan_page(start, 2, consistent=consistent)
            pages.append(page)
            if start is None:
                break
    return pages


@pytest.mark.parametrize("seed", range(12))
def test_a_world_has_the_same_log_on_both(seed: int) -> None:
    plan = draw_plan(seed)

    assert (
        simulate_plan(replace(plan, on_wire=True)).digest()
        == simulate_plan(replace(plan, on_wire=False)).digest()
    )


@pytest.mark.parametrize("ending", ["drop", "recreate", "restore"])
def test_a_table_is_lost_alike_on_both(ending: Ending) -> None:
    plan = replace(draw_plan(1), ending=ending)

    assert (
        simulate_plan(replace(plan, on_wire=True)).digest()
        == simulate_plan(replace(plan, on_wire=False)).digest()
    )
