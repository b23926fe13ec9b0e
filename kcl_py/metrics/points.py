"""What is there to send for an interval? Made of two looks at a worker, and those in between.

Everything that is counted only grows, so a difference is taken and nothing is lost between two
intervals, nor to a look that failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric
from kcl_py.status import TIMING_BOUNDS, ShardWork, Timing, WorkerStatus, idle_status

_HIGHS: Final = (*TIMING_BOUNDS, math.inf)
_LOWS: Final = (0.0, *(math.nextafter(bound, math.inf) for bound in TIMING_BOUNDS))
"""Of each bucket; its upper end belongs to it, its lower end to the one before."""

Level: TypeAlias = Literal["summary", "detailed"]

VALUE_MAX: Final = 2.0**350
"""A thousandth of what is sent at most. Source: MetricDatum, Value: up to 2 to the power of 360."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Some numbers, summed up."""

    count: float
    sum: float
    low: float
    high: float

    def plus(self, other: Stats) -> Stats:
        """Both together."""
        return Stats(
            self.count + other.count,
            self.sum + other.sum,
            min(self.low, other.low),
            max(self.high, other.high),
        )


def one(value: float) -> Stats:
    """A single number."""
    return Stats(1, value, value, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one metric was in one interval.

    Attributes:
        shard, worker: What it is detailed by; None: it is not.
        values: Of a time: the mean of each bucket that is not empty, and how many are in it.
    """

    metric: Metric
    shard: str | None = None
    worker: str | None = None
    stats: Stats
    values: tuple[tuple[float, int], ...] = ()

    @property
    def dimensions(self) -> Mapping[str, str]:
        """Names as the Java KCL has them."""
        found = {"Operation": self.metric.operation}
        if self.shard is not None:
            found["ShardId"] = self.shard
        if self.worker is not None:
            found["WorkerIdentifier"] = self.worker
        return found


@dataclass(slots=True)
class Collector:
    """Looks at a worker, and says what came since the last interval. For one thread.

    Attributes:
        level: detailed: for each shard and worker, too.
    """

    level: Level
    _before: WorkerStatus = field(default_factory=lambda: idle_status("", "new"))
    _seen: dict[tuple[Metric, str | None], Stats] = field(default_factory=dict)
    _seen_at: float | None = None

    def look(self, status: WorkerStatus) -> None:
        """Note the levels; a worker that does not answer, or has stopped, has no new ones."""
        if status.at is None or status.at == self._seen_at or status.state == "stopped":
            return
        self._seen_at = status.at
        for metric in METRICS:
            if metric.kind == "level":
                self._note(metric, status)

    def _note(self, metric: Metric, status: WorkerStatus) -> None:
        for shard, source in _sources(metric, status):
            value = metric.read(source)
            if value is None or isinstance(value, Timing) or not math.isfinite(value):
                continue
            key = (metric, shard)
            before = self._seen.get(key)
            now = one(float(value))
            self._seen[key] = now if before is None else before.plus(now)

    def take(self, status: WorkerStatus) -> list[Point]:
        """Return the points of the interval that ends now, and begin the next one."""
        before, seen = self._before, self._seen
        self._before, self._seen = status, {}
        found: list[Point] = []
        for metric in METRICS:
            if metric.kind == "level":
                by_shard = {shard: stats for (of, shard), stats in seen.items() if of is metric}
                found += self._spread(metric, status, by_shard, {})
            elif metric.scope == "work":
                found += self._work(metric, before, status)
            else:
                found += self._counted(metric, metric.read(before), metric.read(status), status)
        # One that is no number would cost all others of its request.
        return [point for point in found if _is_number(point.stats)]

    def _work(self, metric: Metric, before: WorkerStatus, status: WorkerStatus) -> Iterator[Point]:
        counts: dict[str | None, Stats] = {}
        times: dict[str | None, Timing] = {}
        for shard, work in status.work.items():
            came = metric.read(since(before.work.get(shard), work))
            if isinstance(came, Timing):
                times[shard] = came
            elif came is not None and (came or shard in status.shards):
                counts[shard] = one(float(came))
        yield from self._spread(metric, status, counts, times)

    def _counted(
        self,
        metric: Metric,
        before: float | Timing | None,
        now: float | Timing | None,
        status: WorkerStatus,
    ) -> Iterator[Point]:
        if isinstance(now, Timing):
            came = now.plus(before, -1) if isinstance(before, Timing) else now
            yield from self._spread(metric, status, {}, {None: came})
        elif now is not None:
            grown = now - before if isinstance(before, int | float) else now
            yield from self._spread(metric, status, {None: one(float(max(grown, 0)))}, {})

    def _spread(
        self,
        metric: Metric,
        status: WorkerStatus,
        by_shard: Mapping[str | None, Stats],
        times: Mapping[str | None, Timing],
    ) -> Iterator[Point]:
        """Yield the point of all together, and the detailed ones."""
        made = {shard: (stats, ()) for shard, stats in by_shard.items()} | {
            shard: both for shard, timing in times.items() if (both := _of_timing(timing))
        }
        whole = _together(metric, by_shard.values(), times.values())
        if whole is None:
            return
        yield Point(metric=metric, stats=whole[0], values=whole[1])
        if self.level == "summary" or metric.scope == "application":
            return
        if not metric.is_per_shard:
            yield Point(metric=metric, worker=status.worker_id, stats=whole[0], values=whole[1])
            return
        for shard, (stats, values) in made.items():
            yield Point(metric=metric, shard=shard, stats=stats, values=values)


def since(before: ShardWork | None, now: ShardWork) -> ShardWork:
    """What was done between; all of it, if the count began anew."""
    if before is None or now.reads < before.reads:
        return now
    return now.plus(before, -1)


def _is_number(stats: Stats) -> bool:
    """Say whether CloudWatch has room for it; NaN is not below anything."""
    return all(abs(value) < VALUE_MAX for value in (stats.count, stats.sum, stats.low, stats.high))


def _sources(metric: Metric, status: WorkerStatus) -> Iterable[tuple[str | None, object]]:
    return status.shards.items() if metric.scope == "held" else [(None, status)]


def _together(
    metric: Metric, stats: Iterable[Stats], times: Iterable[Timing]
) -> tuple[Stats, tuple[tuple[float, int], ...]] | None:
    if metric.kind == "time":
        timing = Timing()
        for each in times:
            timing = timing.plus(each)
        return _of_timing(timing)
    whole: Stats | None = None
    for each_stats in stats:
        if whole is None:
            whole = each_stats
        elif metric.kind == "count":
            whole = one(whole.sum + each_stats.sum)
        else:
            whole = whole.plus(each_stats)
    if whole is None:
        return (one(0.0), ()) if metric.kind == "count" else None
    return whole, ()


def _of_timing(timing: Timing) -> tuple[Stats, tuple[tuple[float, int], ...]] | None:
    # Sums are differences of floats: a mean may come out beside its bucket, even below zero.
    values = tuple(
        (min(max(total / count, low), high), count)
        for total, count, low, high in zip(timing.sums, timing.counts, _LOWS, _HIGHS, strict=True)
        if count > 0
    )
    if not values:
        return None
    count = sum(often for _, often in values)
    total = sum(value * often for value, often in values)
    means = [value for value, _ in values]
    return Stats(count, total, min(means), max(means)), values
