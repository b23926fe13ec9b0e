"""What is a metric? Name, unit, kind, what it is counted for, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from kcl_py.status import Timing

Kind: TypeAlias = Literal["count", "level", "time"]
Scope: TypeAlias = Literal["application", "worker", "work", "held"]
Unit: TypeAlias = Literal["count", "bytes", "seconds", "fraction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: Of Prometheus, without its prefix, unit and `_total`.
        cloudwatch: Of CloudWatch.
        operation: Value of the dimension Operation.
        is_kcl: The Java KCL has it by this name and operation.
        kind: count: only grows, and what came in an interval is sent. level: as it was whenever it
            was looked at. time: durations, in buckets.
        unit: Of what `read` gives. CloudWatch is sent milliseconds for seconds, and percent for a
            fraction.
        thing: What is counted, in the singular; None: the unit is no count.
        scope: What `read` is given. application, worker: a `WorkerStatus`. work: a `ShardWork`, of
            every shard of the worker. held: a `ShardStatus`, of those that it holds.
        read: Gives the number; the `Timing` of a time; None: not known.
        says: For the reference.
        is_low_worse: Of many shards the lowest level is the one to look at, else the highest.
    """

    name: str
    cloudwatch: str
    operation: str
    is_kcl: bool = False
    kind: Kind
    unit: Unit = "count"
    thing: str | None = None
    scope: Scope
    read: Callable[[Any], float | Timing | None]
    says: str
    is_low_worse: bool = False

    @property
    def is_per_shard(self) -> bool:
        """There is one for each shard."""
        return self.scope in ("work", "held")
