"""How do points become lines of the embedded metric format, for CloudWatch to read from a log?

Source: CloudWatch embedded metric format specification: a value is a number, or an array of at most
100 numbers; a directive has at most 100 metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kcl_py.metrics.cloudwatch import DIMENSION_LENGTH_MAX, FACTORS, UNITS
from kcl_py.metrics.points import Point

VALUES_MAX: Final = 100
METRICS_MAX: Final = 100


def lines_of(
    points: Sequence[Point], *, namespace: str, at: float, properties: dict[str, str]
) -> Iterator[tuple[int, str]]:
    """Yield how many points a line has, and the line without its end.

    Args:
        at: Unix seconds.
        properties: Said in every line without being dimensions.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Point]] = {}
    for point in points:
        groups.setdefault(tuple(point.dimensions.items()), []).append(point)
    for dimensions, group in groups.items():
        for first in range(0, len(group), METRICS_MAX):
            part = group[first : first + METRICS_MAX]
            yield len(part), _line(part, dict(dimensions), namespace, at, properties)


def _line(
    points: Sequence[Point],
    dimensions: dict[str, str],
    namespace: str,
    at: float,
    properties: dict[str, str],
) -> str:
    names = [point.metric.cloudwatch for point in points]
    assert len(set(names)) == len(names), "one value for each name"
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [
            {"Name": point.metric.cloudwatch, "Unit": UNITS[point.metric.unit]} for point in points
        ],
    }
    document: dict[str, Any] = {
        "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [directive]},
        **properties,
        **{name: value[-DIMENSION_LENGTH_MAX:] for name, value in dimensions.items()},
        **{point.metric.cloudwatch: _value(point) for point in points},
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _value(point: Point) -> float | list[float]:
    factor = FACTORS[point.metric.unit]
    if point.values:
        values = [value * factor for value in _in_proportion(point.values)]
        return values[0] if len(values) == 1 else values
    stats = point.stats
    count = min(int(stats.count), VALUES_MAX)
    if count == 1:
        return stats.sum * factor
    # As many numbers as were seen, with their minimum, their maximum and their mean.
    low, high, mean = stats.low * factor, stats.high * factor, stats.sum * factor / stats.count
    if count == 2:  # noqa: PLR2004 - nothing lies between them
        return [low, high]
    return [low, high, *[(mean * count - low - high) / (count - 2)] * (count - 2)]


def _in_proportion(values: Sequence[tuple[float, int]]) -> list[float]:
    """Repeat each value as often as it came; of more than a line may hold, in proportion."""
    total = sum(often for _, often in values)
    if total <= VALUES_MAX:
        return [value for value, often in values for _ in range(often)]
    found: list[float] = []
    so_far = 0
    for value, often in values:
        so_far += often
        wanted = round(so_far * VALUES_MAX / total)
        found += [value] * (wanted - len(found))
    return found


class Emf:
    """A sink: writes one line for each set of dimensions.

    Args:
        write: Takes whole lines, and puts them out at once.
    """

    name: Final = "emf"

    def __init__(
        self, namespace: str, write: Callable[[str], object], properties: dict[str, str]
    ) -> None:
        self._namespace = namespace
        self._write = write
        self._properties = properties

    def send(self, points: Sequence[Point], at: float) -> Iterator[tuple[int, str | None]]:
        """Write them; yield for each line how many points it had, and why it failed."""
        for count, line in lines_of(
            points, namespace=self._namespace, at=at, properties=self._properties
        ):
            try:
                self._write(line + "\n")
            except (OSError, ValueError) as error:  # ValueError: the file was closed
                yield count, str(error)
            else:
                yield count, None
