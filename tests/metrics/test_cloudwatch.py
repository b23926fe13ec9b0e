"""Do requests of PutMetricData keep the service's limits, lose nothing, and pass botocore?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.stub import Stubber
from hypothesis import example, given
from hypothesis import strategies as st

from kcl_py.aws.metric_data import ATTEMPTS, MetricData
from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.cloudwatch import (
    DIMENSION_LENGTH_MAX,
    METRICS_MAX,
    REQUEST_BYTES_MAX,
    CloudWatch,
    Datum,
    datum_of,
    pack,
    size_of,
)
from kcl_py.metrics.points import Collector, Point, Stats
from tests.metrics.samples import STATUS

NOW = datetime(2026, 11, 26, 14, 41, 28, 800_000, tzinfo=UTC)
NUMBERS = st.floats(0, 1e12)
STATS = st.builds(Stats, st.integers(1, 10**6), NUMBERS, NUMBERS, NUMBERS)
POINTS = st.builds(
    Point,
    metric=st.sampled_from(METRICS),
    shard=st.none() | st.text(min_size=1, max_size=1500),
    worker=st.none() | st.text(min_size=1, max_size=1500),
    stats=STATS,
    values=st.lists(st.tuples(NUMBERS, st.integers(1, 10**9)), max_size=17).map(tuple),
)


def client(**config: Any) -> Any:
    return boto3.session.Session(
        aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-west-1"
    ).client("cloudwatch", config=Config(**{"retries": {"total_max_attempts": 1}, **config}))


def sent_by(made: Any) -> list[bytes]:
    """Bodies of the requests of a client, which are all answered with success."""
    bodies: list[bytes] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        bodies.append(bytes(request.body))  # type: ignore[arg-type]  # it has one
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw())

    made.meta.events.register("before-send.cloudwatch.PutMetricData", answer)
    return bodies


class _Raw:
    def stream(self, **_: Any) -> Any:
        return iter([b""])


@given(
    st.lists(st.integers(1, 400), max_size=60),
    st.integers(1, 10),
    st.integers(300, 2000),
)
def test_nothing_is_lost_and_every_request_keeps_the_limits(
    lengths: list[int], metrics_max: int, bytes_max: int
) -> None:
    data: list[Datum] = [
        {"MetricName": f"m{number}", "Value": "x" * length} for number, length in enumerate(lengths)
    ]

    batches = list(pack(data, metrics_max=metrics_max, bytes_max=bytes_max))

    assert [datum for batch in batches for datum in batch] == data
    assert all(0 < len(batch) <= metrics_max for batch in batches)
    sizes = [sum(map(size_of, batch)) for batch in batches]
    assert all(
        size <= bytes_max or len(batch) == 1 for size, batch in zip(sizes, batches, strict=True)
    )
    for before, after, size in zip(batches, batches[1:], sizes, strict=False):
        assert len(before) == metrics_max or size + size_of(after[0]) > bytes_max


@given(st.lists(POINTS, min_size=1, max_size=30))
def test_whatever_the_points_are_botocore_takes_them_and_the_size_is_not_underrated(
    points: list[Point],
) -> None:
    data = [datum_of(point, NOW) for point in points]
    bodies = sent_by(CLIENT)

    CLIENT.put_metric_data(Namespace="demo", MetricData=data)

    assert len(bodies[-1]) <= sum(map(size_of, data)) + 2048
    for datum in data:
        assert sum(name in datum for name in ("Value", "Values", "StatisticValues")) == 1
        assert len(datum.get("Values", ())) == len(datum.get("Counts", ()))
        assert all(len(each["Value"]) <= DIMENSION_LENGTH_MAX for each in datum["Dimensions"])


CLIENT = client(disable_request_compression=True)


def as_parameters(name: str, value: object) -> Iterator[tuple[str, str]]:
    """As the query protocol spells it. Source: botocore's QuerySerializer."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from as_parameters(f"{name}.{key}", each)
    elif isinstance(value, list):
        for number, each in enumerate(value, 1):
            yield from as_parameters(f"{name}.member.{number}", each)
    else:
        is_time = isinstance(value, datetime)
        yield name, value.strftime("%Y-%m-%dT%H:%M:%SZ") if is_time else str(value)  # type: ignore[attr-defined]  # a time


@given(POINTS)
@example(Point(metric=METRICS[0], shard="\N{GRINNING FACE}" * 900, stats=Stats(1, 1.0, 1.0, 1.0)))
def test_the_size_is_not_underrated_where_requests_are_parameters(point: Point) -> None:
    datum = datum_of(point, NOW)

    assert len(urlencode(list(as_parameters("MetricData.member.999", datum)))) <= size_of(datum)


def test_a_thousand_shards_in_detail_fit_into_a_few_full_requests() -> None:
    keys = [f"shardId-{number:012d}" for number in range(1000)]
    work, held = STATUS.work["shardId-1"], STATUS.shards["shardId-1"]
    status = replace(STATUS, work=dict.fromkeys(keys, work), shards=dict.fromkeys(keys, held))
    collector = Collector("detailed")
    collector.look(status)
    points = collector.take(status)
    made = client(disable_request_compression=True)
    bodies = sent_by(made)

    told = list(CloudWatch("demo", MetricData(made).put).send(points, 1.0))

    assert sum(count for count, _ in told) == len(points) > 12_000
    assert all(problem is None for _, problem in told)
    assert all(len(body) <= REQUEST_BYTES_MAX for body in bodies)
    assert max(count for count, _ in told) == METRICS_MAX
    assert len(bodies) <= 2 * len(points) / METRICS_MAX


def test_a_count_a_level_and_a_time_are_spelled_as_they_are() -> None:
    collector = Collector("summary")
    for at in (1.0, 2.0):
        collector.look(replace(STATUS, at=at))
    data = {
        (datum["Dimensions"][0]["Value"], datum["MetricName"]): datum
        for datum in (datum_of(point, NOW) for point in collector.take(STATUS))
    }

    assert data["ProcessTask", "RecordsProcessed"] == {
        "MetricName": "RecordsProcessed",
        "Dimensions": [{"Name": "Operation", "Value": "ProcessTask"}],
        "Timestamp": NOW,
        "Unit": "Count",
        "Value": 12.0,
    }
    assert data["ApplicationTracker", "MillisBehindLatest"] == {
        "MetricName": "MillisBehindLatest",
        "Dimensions": [{"Name": "Operation", "Value": "ApplicationTracker"}],
        "Timestamp": NOW,
        "Unit": "Milliseconds",
        "StatisticValues": {
            "SampleCount": 2,
            "Sum": 190_000.0,
            "Minimum": 95_000.0,
            "Maximum": 95_000.0,
        },
    }
    times = data["ProcessTask", "RecordProcessor.processRecords.Time"]
    assert times["Values"] == [pytest.approx(20.0), pytest.approx(7000.0)]
    assert times["Counts"] == [4.0, 4.0]


# ------------------------------------------------------------------------------------- the service


def stubbed(*codes: str) -> Any:
    made = client()
    stubber = Stubber(made)
    for code in codes:
        if code == "ok":
            stubber.add_response("put_metric_data", {})
        else:
            status = 500 if code.startswith("Internal") else 400
            stubber.add_client_error("put_metric_data", code, "said the service", status)
    stubber.activate()
    return made


def put(codes: Sequence[str]) -> str | None:
    made = stubbed(*codes)
    calls: list[str] = []

    class Counting:
        def put_metric_data(self, **request: Any) -> None:
            calls.append(request["Namespace"])
            made.put_metric_data(**request)

    port = MetricData(Counting(), sleep=lambda _seconds: None)
    answer = port.put("demo", [{"MetricName": "m", "Value": 1.0}])
    assert len(calls) == len(codes)
    return answer


def test_what_was_throttled_is_sent_again_a_few_times() -> None:
    assert put(["Throttling", "ok"]) is None
    problem = put(["Throttling"] * ATTEMPTS)

    assert problem is not None
    assert problem.startswith("cloudwatch:PutMetricData: ")


@pytest.mark.parametrize("code", ["InternalServiceFault", "AccessDenied", "InvalidParameterValue"])
def test_what_may_have_been_counted_or_is_refused_is_not_sent_again(code: str) -> None:
    problem = put([code])

    assert problem is not None
    assert "cloudwatch:PutMetricData" in problem


PAGE = b"<html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("status", "headers", "body", "problem"),
    [
        (200, {"x-amzn-RequestId": "r-1"}, b"", None),
        (200, {"Content-Type": "text/html"}, PAGE, "without a request id, as of a proxy"),
        (200, {"Content-Length": "0"}, b"", "without a request id, as of a proxy"),
        (200, {"Content-Type": "text/html"}, b"x" * 10_000_000, "without a request id"),
        (302, {"Location": "/login"}, b"", "cloudwatch:PutMetricData: "),
        (403, {"Content-Type": "text/html"}, PAGE, "cloudwatch:PutMetricData: "),
        (500, {}, b"\xff\xfe", "cloudwatch:PutMetricData: "),
    ],
)
def test_the_page_of_a_proxy_is_no_success(
    status: int, headers: dict[str, str], body: bytes, problem: str | None
) -> None:
    made = client()

    class Raw:
        def stream(self, **_: Any) -> Any:
            return iter([body])

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), Raw())

    made.meta.events.register("before-send.cloudwatch.PutMetricData", answer)
    said = MetricData(made, sleep=lambda _: None).put("mine", [])

    assert (said is None) == (problem is None)
    assert problem is None or problem in str(said)
    assert len(str(said)) < 500
