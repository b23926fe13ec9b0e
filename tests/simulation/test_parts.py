"""The parts of the simulated world, each for itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.events import Applied, Refused
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.records import Position
from kcl_py.testing.sim.clocks import WORLD_BEGAN_AT, WorkerClock
from kcl_py.testing.sim.heap import EventHeap
from kcl_py.testing.sim.row_store import RowStore
from kcl_py.testing.sim.store import TableMissingError


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=30), st.integers())
def test_things_happen_in_the_order_of_their_times(times: list[float], seed: int) -> None:
    heap = EventHeap(random.Random(seed))
    happened: list[float] = []
    for when in times:
        heap.at(when, lambda: happened.append(heap.now))

    heap.run_until(1000)

    assert happened == sorted(times)
    assert heap.now == 1000


def test_what_falls_on_one_instant_comes_in_an_order_of_the_seed() -> None:
    def order(seed: int) -> list[int]:
        heap = EventHeap(random.Random(seed))
        seen: list[int] = []
        for number in range(10):
            heap.at(1.0, lambda number=number: seen.append(number))  # type: ignore[misc]
        heap.run_until(2)
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_what_was_called_off_does_not_happen() -> None:
    heap = EventHeap(random.Random(0))
    ticket = heap.after(1.0, lambda: pytest.fail("it happened"))

    heap.cancel(ticket)
    heap.run_until(2)


def test_the_world_goes_on_around_an_action_that_waits() -> None:
    heap = EventHeap(random.Random(0))
    seen: list[str] = []

    def waits() -> None:
        seen.append("begins")
        heap.run_until(10, stop=lambda: "other" in seen)
        seen.append("ends")

    heap.at(1.0, waits)
    heap.at(2.0, lambda: seen.append("other"))
    heap.run_until(5)

    assert seen == ["begins", "other", "ends"]


@given(st.floats(min_value=-0.001, max_value=0.001), st.floats(min_value=0, max_value=1e6))
def test_a_clock_is_read_and_asked_alike(drift: float, offset: float) -> None:
    heap = EventHeap(random.Random(0))
    clock = WorkerClock(heap, rate=1 + drift, offset=offset, wall_offset=2.0)
    heap.run_until(50)

    assert clock.true_time(clock.now()) == pytest.approx(50)
    assert clock.wall() == WORLD_BEGAN_AT + 52


def store(heap: EventHeap) -> RowStore:
    return RowStore(
        lambda: WORLD_BEGAN_AT + heap.now,
        random.Random(0),
        stale=lambda: 5.0,
        index_lag=lambda: 1.0,
    )


ROW = LeaseRow(key="shardId-000000000000", counter=7, checkpoint=Sentinel.TRIM_HORIZON, nonce="n")


def test_a_write_is_applied_if_its_condition_holds_and_shows_the_row_either_way() -> None:
    table = store(EventHeap(random.Random(0)))
    table.write(writes.create(ROW))
    take = writes.take(ROW, me="w1", nonce="a", duration=10.0, counter=8)

    first, second = table.write(take), table.write(take)

    assert isinstance(first, Applied)
    assert isinstance(second, Refused)
    assert first.row == second.row == table.read(ROW.key)


def test_scans_may_be_stale_and_the_index_lags() -> None:
    heap = EventHeap(random.Random(0))
    table = store(heap)
    table.write(writes.create(ROW))
    heap.run_until(20)
    table.write(writes.take(ROW, me="w1", nonce="a", duration=10.0, counter=8))

    assert table.owned_by("w1") == ()
    (stale,), _ = table.scan_page(None, 10, consistent=False)
    (fresh,), _ = table.scan_page(None, 10, consistent=True)
    assert isinstance(stale, LeaseRow)
    assert isinstance(fresh, LeaseRow)
    assert (stale.owner, fresh.owner) == (None, "w1")
    heap.run_until(22)
    assert table.owned_by("w1") == (ROW.key,)


def test_a_missing_table_says_so_and_a_backup_comes_back() -> None:
    table = store(EventHeap(random.Random(0)))
    table.write(writes.create(ROW))
    saved, old_id = table.save(), table.table_id()
    position = Position("5")
    renewed = writes.take(ROW, me="w1", nonce="a", duration=10.0, counter=8)
    table.write(renewed)
    table.drop()

    assert table.table_id() is None
    with pytest.raises(TableMissingError):
        table.write(
            writes.renew(ROW.key, me="w1", base=8, nonce="b", duration=9, checkpoint=position)
        )

    table.restore(saved)
    assert table.table_id() == old_id
    row = table.read(ROW.key)
    assert isinstance(row, LeaseRow)
    assert row.counter == 7
