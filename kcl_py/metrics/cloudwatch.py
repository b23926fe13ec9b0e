"""How do points become requests of PutMetricData, within its limits?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from kcl_py.metrics.metric import Unit
from kcl_py.metrics.points import Point

METRICS_MAX: Final = 1000
"""In one request. Source: PutMetricData, "no more than 1000 different metrics"."""

REQUEST_BYTES_MAX: Final = 1024 * 1024
"""Source: PutMetricData, "limited to 1 MB in size"; before it is compressed."""

HEAD_BYTES: Final = 2048
"""What may stand around the data: the action, the version, the namespace."""

NUMBER_BYTES: Final = 40
"""A number, escaped, or a time with date and zone."""

DIMENSION_LENGTH_MAX: Final = 1024
"""Source: Dimension, Value. One that is longer keeps its end, which tells shards apart."""

FACTORS: Final[Mapping[Unit, float]] = {
    "count": 1.0,
    "bytes": 1.0,
    "seconds": 1000.0,
    "fraction": 100.0,
}
UNITS: Final[Mapping[Unit, str]] = {
    "count": "Count",
    "bytes": "Bytes",
    "seconds": "Milliseconds",
    "fraction": "Percent",
}

Datum: TypeAlias = dict[str, Any]
Put: TypeAlias = Callable[[str, Sequence[Datum]], str | None]
"""Sends data of a namespace, once; says why it could not."""


def datum_of(point: Point, at: datetime) -> Datum:
    """Spell one point: a value, a statistic set, or values with how often each came.

    Args:
        at: Aware. A number would be parsed for each point, which costs half of a sending.
    """
    unit = point.metric.unit
    factor, stats = FACTORS[unit], point.stats
    datum: Datum = {
        "MetricName": point.metric.cloudwatch,
        "Dimensions": [
            {"Name": name, "Value": value[-DIMENSION_LENGTH_MAX:]}
            for name, value in point.dimensions.items()
        ],
        "Timestamp": at,
        "Unit": UNITS[unit],
    }
    if point.values:
        datum["Values"] = [value * factor for value, _ in point.values]
        datum["Counts"] = [float(often) for _, often in point.values]
    elif stats.count == 1:
        datum["Value"] = stats.sum * factor
    else:
        datum["StatisticValues"] = {
            "SampleCount": stats.count,
            "Sum": stats.sum * factor,
            "Minimum": stats.low * factor,
            "Maximum": stats.high * factor,
        }
    return datum


def pack(
    data: Iterable[Datum],
    *,
    metrics_max: int = METRICS_MAX,
    bytes_max: int = REQUEST_BYTES_MAX - HEAD_BYTES,
) -> Iterator[list[Datum]]:
    """Divide data into requests, in their order, as few as the order allows."""
    batch: list[Datum] = []
    size = 0
    for datum in data:
        added = size_of(datum)
        if batch and (len(batch) >= metrics_max or size + added > bytes_max):
            yield batch
            batch, size = [], 0
        batch.append(datum)
        size += added
    if batch:
        yield batch


def size_of(datum: Mapping[str, Any]) -> int:
    """Bytes that it takes at most in the wordiest protocol of the service, of query parameters.

    Nothing is spelled for it, since there is one for each metric of each shard.
    """
    return _size(len("MetricData.member.1000"), datum)


def _size(name: int, value: object) -> int:
    """Bytes of a value and all in it.

    Args:
        name: Length of its name.
    """
    if isinstance(value, str):
        return name + len("&=") + 3 * len(value.encode())
    if isinstance(value, dict):
        size = 0
        for key, each in value.items():
            size += _size(name + 1 + len(key), each)
        return size
    if isinstance(value, list):
        size, within = 0, name + len(".member.") + len(str(len(value)))
        for each in value:
            size += _size(within, each)
        return size
    return name + len("&=") + NUMBER_BYTES


class CloudWatch:
    """A sink: sends points by PutMetricData."""

    name: Final = "cloudwatch"

    def __init__(self, namespace: str, put: Put) -> None:
        self._namespace = namespace
        self._put = put

    def send(self, points: Sequence[Point], at: float) -> Iterator[tuple[int, str | None]]:
        """Send them; yield for each request how many it had, and why it failed."""
        when = datetime.fromtimestamp(at, UTC)
        for batch in pack(datum_of(point, when) for point in points):
            yield len(batch), self._put(self._namespace, batch)
