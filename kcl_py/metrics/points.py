"""What is there to send for an interval? Made of two looks at a worker, and those in between.

Everything that is counted only grows, so a difference is taken and nothing is lost between two
intervals, nor to a look that failed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Final, Literal, TypeAlias

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric
from kcl_py.status import TIMING_BOUNDS, ShardWork, Timing, WorkerStatus, idle_status

_HIGHS: Final = (*TIMING_BOUNDS, math.inf)
_LOWS: Final = (0.0, *(math.nextafter(bound, math.inf) for bound in TIMING_BOUNDS))
"""Of each bucket; its upper end belongs to it, its lower end to the one before."""

Level: TypeAlias = Literal["summary", "detailed"]

Values: TypeAlias = tuple[tuple[float, int], ...]
"""Of a time: the mean of each bucket that is not empty, and how many are in it."""

VALUE_MAX: Final = 2.0**350
"""A thousandth of what is sent at most. Source: MetricDatum, Value: up to 2 to the power of 360."""


OLDER: Final = "older"
"""In the place of a shard, with `detailed`: those that ended so long ago that the worker has
forgotten which they were; see `WorkerStatus.older_work`."""

_NOTHING: Final = ShardWork()
_COUNTS: Final = attrgetter(*(each.name for each in fields(ShardWork) if each.name != "processing"))


@dataclass(frozen=True, slots=True)
class Stats:
    """Some numbers, summed up."""

    count: float
    sum: float
    low: float
    high: float


def one(value: float) -> Stats:
    """A single number."""
    return Stats(1, value, value, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one metric was in one interval.

    Attributes:
        shard, worker: What it is detailed by; None: it is not. `OLDER` is in the place of a shard.
    """

    metric: Metric
    shard: str | None = None
    worker: str | None = None
    stats: Stats
    values: Values = ()

    @property
    def dimensions(self) -> Mapping[str, str]:
        """Names as the Java KCL has them."""
        found = {"Operation": self.metric.operation}
        if self.shard is not None:
            found["ShardId"] = self.shard
        if self.worker is not None:
            found["WorkerIdentifier"] = self.worker
        return found


@dataclass(slots=True, eq=False)
class _Seen:
    """What a level was whenever it was looked at."""

    count: int
    sum: float
    low: float
    high: float

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        if value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value


@dataclass(slots=True)
class Collector:
    """Looks at a worker, and says what came since the last interval. For one thread.

    Attributes:
        level: detailed: for each shard and worker, too.
    """

    level: Level
    _before: WorkerStatus = field(default_factory=lambda: idle_status("", "new"))
    _seen: dict[str, dict[str | None, _Seen]] = field(default_factory=dict)
    _seen_at: float | None = None

    def look(self, status: WorkerStatus) -> None:
        """Note the levels; a worker that does not answer, or has stopped, has no new ones."""
        if status.at is None or status.at == self._seen_at or status.state == "stopped":
            return
        self._seen_at = status.at
        for metric in METRICS:
            if metric.kind == "level":
                self._note(metric, status, self._seen.setdefault(metric.name, {}))

    def _note(self, metric: Metric, status: WorkerStatus, seen: dict[str | None, _Seen]) -> None:
        for shard, source in _sources(metric, status):
            value = metric.read(source)
            if value is None or isinstance(value, Timing) or not math.isfinite(value):
                continue
            number, before = float(value), seen.get(shard)
            if before is None:
                seen[shard] = _Seen(1, number, number, number)
            else:
                before.add(number)

    def take(self, status: WorkerStatus) -> list[Point]:
        """Return the points of the interval that ends now, and begin the next one."""
        before, seen = self._before, self._seen
        self._before, self._seen = status, {}
        came = work_between(before, status)
        found: list[Point] = []
        for metric in METRICS:
            if metric.kind == "level":
                found += self._levels(metric, seen.get(metric.name, {}), status)
            elif metric.scope == "work":
                found += self._work(metric, came, status)
            else:
                found += self._counted(metric, metric.read(before), metric.read(status), status)
        # One that is no number would cost all others of its request.
        return [point for point in found if _is_number(point.stats)]

    def _levels(
        self, metric: Metric, seen: Mapping[str | None, _Seen], status: WorkerStatus
    ) -> Iterator[Point]:
        if not seen:
            return
        whole = Stats(
            sum(each.count for each in seen.values()),
            sum(each.sum for each in seen.values()),
            min(each.low for each in seen.values()),
            max(each.high for each in seen.values()),
        )
        yield from self._whole(metric, whole, (), status)
        if self._is_split(metric):
            for shard, each in seen.items():
                stats = Stats(each.count, each.sum, each.low, each.high)
                yield Point(metric=metric, shard=shard, stats=stats)

    def _work(
        self, metric: Metric, came: Mapping[str, ShardWork], status: WorkerStatus
    ) -> Iterator[Point]:
        if metric.kind == "time":
            times: dict[str, Timing] = {shard: metric.read(work) for shard, work in came.items()}  # type: ignore[misc]  # of a time
            yield from self._times(metric, times, status)
            return
        counts: dict[str, float] = {shard: metric.read(work) for shard, work in came.items()}  # type: ignore[misc]  # of a count
        yield from self._whole(metric, one(float(sum(counts.values()))), (), status)
        if self._is_split(metric):
            for shard, count in counts.items():
                if count or shard in status.shards:
                    yield Point(metric=metric, shard=shard, stats=one(float(count)))

    def _counted(
        self,
        metric: Metric,
        before: float | Timing | None,
        now: float | Timing | None,
        status: WorkerStatus,
    ) -> Iterator[Point]:
        if isinstance(now, Timing):
            came = now.plus(before, -1) if isinstance(before, Timing) else now
            yield from self._times(metric, {None: came}, status)
        elif now is not None:
            grown = now - before if isinstance(before, int | float) else now
            yield from self._whole(metric, one(float(max(grown, 0))), (), status)

    def _times(
        self,
        metric: Metric,
        times: Mapping[str, Timing] | Mapping[None, Timing],
        status: WorkerStatus,
    ) -> Iterator[Point]:
        whole = _of_timing(_sum_of(times.values()))
        if whole is None:
            return
        yield from self._whole(metric, *whole, status)
        if self._is_split(metric):
            for shard, timing in times.items():
                each = _of_timing(timing)
                if each is not None:
                    yield Point(metric=metric, shard=shard, stats=each[0], values=each[1])

    def _whole(
        self, metric: Metric, stats: Stats, values: Values, status: WorkerStatus
    ) -> Iterator[Point]:
        """Yield the point of all together, and that of the worker if it is detailed by it."""
        yield Point(metric=metric, stats=stats, values=values)
        if self.level == "detailed" and metric.scope == "worker":
            yield Point(metric=metric, worker=status.worker_id, stats=stats, values=values)

    def _is_split(self, metric: Metric) -> bool:
        return self.level == "detailed" and metric.is_per_shard


def work_between(before: WorkerStatus, now: WorkerStatus) -> dict[str, ShardWork]:
    """What was done between two looks, by shard; together it is all of it, each once."""
    came = {shard: since(before.work.get(shard), work) for shard, work in now.work.items()}
    if now.older_work != before.older_work:
        older = now.older_work.plus(before.older_work, -1)
        for shard, work in before.work.items():
            # Of one that is forgotten, or came back after that, the older work has all.
            if came.get(shard) is now.work.get(shard):
                older = older.plus(work, -1)
        if older != _NOTHING and not _is_less(older):
            came[OLDER] = older
    return came


def since(before: ShardWork | None, now: ShardWork) -> ShardWork:
    """What was done between; all of it, and the same object, if the count began anew."""
    if before is None:
        return now
    if before == now:
        return _NOTHING
    came = now.plus(before, -1)
    return now if _is_less(came) else came


def _is_less(work: ShardWork) -> bool:
    return min(_COUNTS(work)) < 0 or min(work.processing.counts) < 0


def _is_number(stats: Stats) -> bool:
    """Say whether CloudWatch has room for it; NaN is not below anything."""
    return (
        abs(stats.sum) < VALUE_MAX
        and abs(stats.low) < VALUE_MAX
        and abs(stats.high) < VALUE_MAX
        and stats.count < VALUE_MAX
    )


def _sources(metric: Metric, status: WorkerStatus) -> Iterable[tuple[str | None, object]]:
    return status.shards.items() if metric.scope == "held" else [(None, status)]


def _sum_of(times: Collection[Timing]) -> Timing:
    if not times:
        return Timing()
    return Timing(
        counts=tuple(map(sum, zip(*(each.counts for each in times), strict=True))),
        sums=tuple(map(sum, zip(*(each.sums for each in times), strict=True))),
    )


def _of_timing(timing: Timing) -> tuple[Stats, Values] | None:
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
