"""Is everything counted that happens to a shard, once, and when it happens?"""

from __future__ import annotations

import pytest

from kcl_py.core.consumer.shown import behind
from kcl_py.core.events import FailureKind, UserError
from kcl_py.core.tallies import ENDED_MAX, Tallies, TimeTally
from kcl_py.status import TIMING_BOUNDS, ShardWork
from tests.core.consumer.house import KEY, House


@pytest.mark.parametrize(
    ("lag", "read_age", "quiet", "expected"),
    [
        (None, None, 1.0, None),
        (0.0, 0.9, 1.0, 0.0),
        (0.0, 10.0, 1.0, 0.0),
        (0.0, 10.5, 1.0, 10.5),
        (3600.0, 0.1, 1.0, 3600.0),
        (3600.0, 60.0, 1.0, 3660.0),
        (0.0, 100.0, 60.0, 0.0),
        (0.0, 121.0, 60.0, 121.0),
    ],
)
def test_a_shard_that_is_not_read_falls_behind(
    lag: float | None, read_age: float | None, quiet: float, expected: float | None
) -> None:
    assert behind(lag, read_age, quiet) == expected


def test_a_shard_is_counted_over_reads_batches_failures_and_epochs() -> None:
    house = House()
    house.start(3)
    house.advance(0.5)
    house.returns(problem=UserError(kind="error", summary="ValueError"))
    house.advance(60.0)
    house.returns()  # the same batch again
    house.fail(FailureKind.THROTTLED)
    house.advance(10.0)
    house.fail(FailureKind.EXPIRED)
    house.advance(10.0)
    house.stream().put(2)
    house.answer(limit=2)
    house.returns(problem=UserError(kind="lease_lost", summary="LeaseLost"))

    done = house.consumers.tallies.values({KEY})[KEY]

    assert (done.reads, done.records_read) == (2, 5)
    assert (done.batches, done.records) == (1, 3)
    assert (done.failures, done.retries) == (1, 1)
    assert (done.read_failures, done.read_throttles, done.iterators_expired) == (1, 1, 1)
    assert (done.processing.count, done.processing.failed) == (3, 1)
    assert done.processing.seconds >= 0.5


def test_every_report_is_counted_by_its_name() -> None:
    house = House()
    house.start(3)
    house.returns(problem=UserError(kind="error", summary="ValueError"))

    assert house.calls.counted == house.names()
    assert house.calls.counted["processor.failed"] == 1


def test_durations_fall_into_their_buckets_and_nothing_is_lost() -> None:
    tally = TimeTally()
    for seconds in (0.0, 0.001, 0.0011, 299.0, 300.0, 1e9):
        tally.add(seconds, failed=seconds > 1, throttled=seconds > 1e6)
    made = tally.value()

    assert made.counts[0] == 2
    assert made.counts[1] == 1
    assert made.counts[len(TIMING_BOUNDS) - 1] == 2
    assert made.counts[-1] == 1
    assert (made.count, made.failed, made.throttled) == (6, 3, 1)
    assert made.seconds == pytest.approx(0.0021 + 599.0 + 1e9)


def test_old_shards_are_summed_up_and_held_ones_never() -> None:
    tallies = Tallies()
    for number in range(ENDED_MAX + 5):
        tallies.at(f"s{number}").records += 1

    first = tallies.values(held={"s0"})

    assert len(first) == ENDED_MAX + 1
    assert "s0" in first
    assert "s1" not in first
    assert tallies.older == ShardWork(records=4)


def test_a_difference_of_work_is_what_was_done_in_between() -> None:
    tallies = Tallies()
    tally = tallies.at("s")
    tally.processing.add(0.02)
    tally.records = 5
    before = tally.value()
    tally.processing.add(3.0, failed=True)
    tally.records = 7

    done = tally.value().plus(before, -1)

    assert done.records == 2
    assert done.processing.count == 1
    assert done.processing.seconds == 3.0
    assert done.processing.failed == 1
