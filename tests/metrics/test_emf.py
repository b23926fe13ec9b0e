"""Are the lines in the embedded metric format, and do they say what was measured?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.metrics.emf import VALUES_MAX, Emf, _in_proportion, lines_of
from kcl_py.metrics.points import Collector, Point
from tests.metrics.samples import STATUS
from tests.metrics.test_cloudwatch import POINTS

UNITS = {"Count", "Bytes", "Milliseconds", "Percent"}


def check(line: str) -> dict[str, Any]:
    """Refuse what the specification of the format forbids."""
    document: dict[str, Any] = json.loads(line)
    assert "\n" not in line
    assert set(document["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(document["_aws"]["Timestamp"], int)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for dimensions in directive["Dimensions"]:
            assert 1 <= len(dimensions) <= 30
            for name in dimensions:
                assert 1 <= len(name) <= 250
                assert isinstance(document[name], str)
                assert 1 <= len(document[name]) <= 1024
        for metric in directive["Metrics"]:
            assert 1 <= len(metric["Name"]) <= 1024
            assert metric["Unit"] in UNITS
            value = document[metric["Name"]]
            values = value if isinstance(value, list) else [value]
            assert 1 <= len(values) <= 100
            assert all(isinstance(each, int | float) for each in values)
    return document


def lines(points: list[Point]) -> list[tuple[int, str]]:
    said = {"application": "demo", "worker_id": "w-1"}
    return list(lines_of(points, namespace="demo", at=7.5, properties=said))


def all_points() -> list[Point]:
    collector = Collector("detailed")
    collector.look(STATUS)
    return collector.take(STATUS)


def test_everything_of_a_worker_is_in_the_format_and_there_once() -> None:
    points = all_points()
    found = lines(points)

    told = []
    for document in (check(line) for _, line in found):
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        of = tuple(sorted((name, document[name]) for name in directive["Dimensions"][0]))
        told += [(metric["Name"], of) for metric in directive["Metrics"]]
    assert sum(count for count, _ in found) == len(points) == len(told)
    assert set(told) == {
        (point.metric.cloudwatch, tuple(sorted(point.dimensions.items()))) for point in points
    }


def test_a_value_is_that_of_the_point() -> None:
    documents = [check(line) for _, line in lines(all_points())]
    whole = next(d for d in documents if d["Operation"] == "ProcessTask" and "ShardId" not in d)
    one = next(d for d in documents if d.get("ShardId") == "shardId-1" and "RecordsRead" in d)

    assert whole["RecordsProcessed"] == 12.0
    assert one["RecordsProcessed"] == 6.0
    assert one["MillisBehindLatest"] == 95_000.0
    assert whole["_aws"]["Timestamp"] == 7500
    assert whole["RecordProcessor.processRecords.Time"] == pytest.approx([20.0] * 4 + [7000.0] * 4)
    assert whole["worker_id"] == "w-1"


@given(POINTS)
def test_whatever_the_point_is_the_format_is_kept_and_the_mean_is_told(point: Point) -> None:
    ((_, line),) = lines([point])
    document = check(line)

    value = document[point.metric.cloudwatch]
    values = value if isinstance(value, list) else [value]
    factor = {"seconds": 1000.0, "fraction": 100.0}.get(point.metric.unit, 1.0)
    if point.values:
        count = sum(often for _, often in point.values)
        assert len(values) == min(count, VALUES_MAX)
        assert set(values) <= {each * factor for each, _ in point.values}
    elif point.stats.count == 1:
        assert values == [point.stats.sum * factor]
    elif point.stats.count > 2:
        mean = point.stats.sum * factor / point.stats.count
        # Sums of numbers that differ much are as exact as the largest of them is.
        largest = max(map(abs, values))
        assert sum(values) / len(values) == pytest.approx(mean, rel=1e-6, abs=1e-9 * largest)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 10**6)), min_size=1, max_size=17))
def test_of_too_many_values_each_has_its_share(values: list[tuple[float, int]]) -> None:
    found = _in_proportion(values)

    total = sum(often for _, often in values)
    wanted = min(total, VALUES_MAX)
    assert len(found) == wanted
    for value in {value for value, _ in values}:
        share = sum(often for each, often in values if each == value) / total * wanted
        kinds = sum(1 for each, _ in values if each == value)
        assert abs(found.count(value) - share) <= kinds


def test_a_pipe_that_is_gone_is_told() -> None:
    def write(line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    told = list(Emf("demo", write, {}).send(all_points(), 1.0))

    assert sum(count for count, _ in told) == len(all_points())
    assert {problem for _, problem in told} == {"[Errno 32] Broken pipe"}
