"""Is all that was counted sent once, whenever it is looked at, and however it is detailed?"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.core.tallies import ShardTally, Tallies, TimeTally
from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.cloudwatch import datum_of
from kcl_py.metrics.emf import lines_of
from kcl_py.metrics.points import Collector, Level, Point
from kcl_py.status import Timing, WorkerStatus, idle_status
from tests.metrics.samples import STATUS, shard

NOW = datetime(2026, 11, 26, tzinfo=UTC)
KEYS = ("shardId-0", "shardId-1", "shardId-2")


class History:
    """A worker that does things, and can be looked at."""

    def __init__(self) -> None:
        self.tallies: dict[str, ShardTally] = {}
        self.calls = TimeTally()
        self.taken = 0
        self.at = 0.0

    def do(self, key: str, records: int, seconds: float) -> None:
        tally = self.tallies.setdefault(key, ShardTally())
        tally.reads += 1
        tally.records += records
        tally.processing.add(seconds)
        self.calls.add(seconds)
        self.taken += 1

    def status(self) -> WorkerStatus:
        self.at += 1.0
        return replace(
            idle_status("w-1", "running"),
            at=self.at,
            work={key: tally.value() for key, tally in self.tallies.items()},
            events={"lease.taken": self.taken},
            calls={"GetRecords": self.calls.value()},
            shards={key: shard(key, 1.0) for key in list(self.tallies)[:2]},
        )


def named(points: list[Point], cloudwatch: str, operation: str) -> list[Point]:
    return [
        point
        for point in points
        if (point.metric.cloudwatch, point.metric.operation) == (cloudwatch, operation)
    ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(KEYS), st.integers(0, 10_000), st.floats(0, 1000)),
        st.sampled_from(["look", "take"]),
    ),
    max_size=40,
)


@given(STEPS)
def test_counts_and_times_are_sent_once_whatever_happens_between(steps: list[object]) -> None:
    history, collector = History(), Collector("detailed")
    sent: list[Point] = []
    for step in [*steps, "take"]:
        if step == "look":
            collector.look(history.status())
        elif step == "take":
            sent += collector.take(history.status())
        else:
            assert isinstance(step, tuple)
            history.do(*step)

    by_shard: dict[str | None, float] = defaultdict(float)
    for point in named(sent, "RecordsProcessed", "ProcessTask"):
        by_shard[point.shard] += point.stats.sum
    done = {key: tally.records for key, tally in history.tallies.items()}
    assert by_shard.pop(None) == sum(done.values())
    assert {key: value for key, value in by_shard.items() if value} == {
        key: value for key, value in done.items() if value
    }
    for name in ("RecordProcessor.processRecords.Time", "KinesisDataFetcher.getRecords.Time"):
        times = [each for each in named(sent, name, "ProcessTask") if len(each.dimensions) == 1]
        assert sum(point.stats.count for point in times) == sum(history.calls.counts)
        assert sum(often for point in times for _, often in point.values) == sum(
            history.calls.counts
        )
        total = sum(point.stats.sum for point in times)
        assert total == pytest.approx(sum(history.calls.sums), abs=1e-6)
    taken = [p for p in named(sent, "TakenLeases", "TakeLeases") if p.worker is None]
    assert sum(point.stats.sum for point in taken) == history.taken


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(KEYS), st.integers(0, 9), st.floats(0, 1)),
            st.tuples(st.just("moves"), st.sets(st.sampled_from(KEYS))),
            st.sampled_from(["look", "take"]),
        ),
        max_size=40,
    )
)
def test_what_was_done_for_shards_that_are_forgotten_is_sent_once_too(steps: list[Any]) -> None:
    """Thousands of leases that move at once: of those that are not held few are remembered."""
    tallies, held, done = Tallies(), set(KEYS), 0
    collector = Collector("detailed")
    sent: list[Point] = []

    def status() -> WorkerStatus:
        work = tallies.values(held)
        return replace(idle_status("w", "running"), work=work, older_work=tallies.older)

    for step in [*steps, "take"]:
        if step == "look":
            status()  # as health does each second
        elif step == "take":
            sent += collector.take(status())
        elif step[0] == "moves":
            held = step[1]
        else:
            key, records, seconds = step
            tally = tallies.at(key)
            tally.reads += 1
            tally.records += records
            tally.processing.add(seconds)
            done += records

    points = named(sent, "RecordsProcessed", "ProcessTask")
    assert sum(each.stats.sum for each in points if each.shard is None) == done
    assert sum(each.stats.sum for each in points if each.shard is not None) == done
    assert all(each.stats.sum >= 0 for each in points)
    times = named(sent, "RecordProcessor.processRecords.Time", "ProcessTask")
    calls = sum(isinstance(step, tuple) and step[0] != "moves" for step in steps)
    assert sum(each.stats.count for each in times if each.shard is None) == calls
    assert sum(each.stats.count for each in times if each.shard is not None) == calls


@pytest.fixture(autouse=True, scope="module")
def _few_are_remembered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kcl_py.core.tallies.ENDED_MAX", 1)
        yield


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_a_level_is_all_that_was_seen_in_its_interval_and_nothing_of_the_one_before(
    lags: list[float],
) -> None:
    collector = Collector("summary")
    collector.look(replace(STATUS, at=1.0))
    collector.take(STATUS)
    for number, lag in enumerate(lags):
        seen = replace(STATUS, at=2.0 + number, shards={"shardId-0": shard("shardId-0", lag)})
        collector.look(seen)
        collector.look(seen)  # an old status, as of a worker that does not answer

    (point,) = named(collector.take(STATUS), "MillisBehindLatest", "ApplicationTracker")

    assert point.stats.count == len(lags)
    assert (point.stats.low, point.stats.high) == (min(lags), max(lags))
    assert point.stats.sum == pytest.approx(sum(lags))


def test_without_a_shard_there_is_no_lag_and_it_is_not_zero() -> None:
    collector = Collector("detailed")
    alone = replace(idle_status("w-1", "running"), at=1.0)
    collector.look(alone)
    points = collector.take(alone)

    assert not [point for point in points if point.metric.cloudwatch == "MillisBehindLatest"]
    held = named(points, "CurrentLeases", "RenewAllLeases")
    assert [point.stats.sum for point in held] == [0.0, 0.0]


@pytest.mark.parametrize("state", ["new", "starting", "stopped"])
def test_a_worker_that_does_not_run_has_no_levels(state: str) -> None:
    collector = Collector("summary")
    at = 1.0 if state == "stopped" else None
    collector.look(replace(STATUS, state=state, at=at))  # type: ignore[arg-type]  # one of them

    assert {point.metric.kind for point in collector.take(STATUS)} == {"count", "time"}


def test_a_count_that_began_anew_is_not_taken_for_less_than_nothing() -> None:
    collector = Collector("detailed")
    collector.take(STATUS)
    again = History()
    again.do("shardId-1", 4, 0.1)

    points = named(collector.take(again.status()), "RecordsProcessed", "ProcessTask")

    assert [(point.shard, point.stats.sum) for point in points] == [(None, 4.0), ("shardId-1", 4.0)]


@pytest.mark.parametrize(
    ("level", "dimensions"),
    [
        ("summary", {("Operation",)}),
        ("detailed", {("Operation",), ("Operation", "ShardId"), ("Operation", "WorkerIdentifier")}),
    ],
)
def test_a_level_decides_on_dimensions(level: Level, dimensions: set[tuple[str, ...]]) -> None:
    collector = Collector(level)
    collector.look(STATUS)
    points = collector.take(STATUS)

    assert {tuple(point.dimensions) for point in points} == dimensions
    keys = [(point.metric.cloudwatch, *point.dimensions.items()) for point in points]
    assert len(set(keys)) == len(keys)
    assert {point.metric for point in points} == set(METRICS)


@given(st.floats(), st.floats(), st.floats())
def test_what_is_no_number_costs_nobody_else_its_place(
    units: float, behind: float, seconds: float
) -> None:
    timing = Timing(counts=(1,) * 17, sums=(seconds,) * 17)
    status = replace(
        STATUS,
        dynamodb_read_units=units,
        shards={"s": shard("s", behind)},
        calls=dict.fromkeys(STATUS.calls, timing),
    )
    collector = Collector("detailed")
    collector.look(status)
    points = collector.take(status)

    for _, line in lines_of(points, namespace="n", at=1.0, properties={}):
        json.loads(line)
    for point in points:
        datum = datum_of(point, NOW)
        values = [datum.get("Value", 0.0), *datum.get("Values", ())]
        values += datum.get("StatisticValues", {}).values()
        assert all(abs(value) <= 2.0**360 for value in values)
    names = {point.metric.cloudwatch for point in points}
    assert "RecordsProcessed" in names
