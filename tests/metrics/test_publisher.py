"""Do a worker's numbers reach a sink, and does nothing that the sink does reach the worker?"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from kcl_py import (
    Batch,
    LeaseConfig,
    MetricsConfig,
    NoCredentials,
    SetupError,
    TableConfig,
    Worker,
    WorkerConfig,
)
from kcl_py.companions import Watched
from kcl_py.local import Engine
from kcl_py.metrics.emf import Emf
from kcl_py.metrics.points import Point
from kcl_py.metrics.publisher import Publisher
from kcl_py.observers import _to_stdout
from kcl_py.status import WorkerStatus
from tests.metrics.samples import STATUS
from tests.metrics.test_cloudwatch import client, sent_by

PATIENCE = 30.0


class Watch:
    """A worker that only has a status."""

    worker_id = "w-1"

    def __init__(self) -> None:
        self.now = STATUS

    def status(self) -> WorkerStatus:
        return self.now

    def request_stop(self) -> None:
        raise AssertionError("metrics stop nothing")


class Sink:
    """Notes what it is given, and answers as it is told to."""

    name = "test"

    def __init__(self) -> None:
        self.problem: str | None = None
        self.raises: BaseException | None = None
        self.sent: list[list[Point]] = []
        self.has_sent = threading.Event()

    def send(self, points: Sequence[Point], at: float) -> Iterator[tuple[int, str | None]]:
        self.sent.append(list(points))
        self.has_sent.set()
        if self.raises is not None:
            raise self.raises
        yield len(points), self.problem

    def total(self, name: str) -> float:
        found = (point for sent in self.sent for point in sent if point.metric.cloudwatch == name)
        return sum(point.stats.sum for point in found)


def publisher(sink: Sink, interval: float = 3600.0) -> Publisher:
    return Publisher(
        lambda worker: sink,
        level="summary",
        interval=interval,
        now=time.monotonic,
        wall=time.time,
    )


def test_what_is_left_is_sent_at_the_end() -> None:
    sink = Sink()
    beside = publisher(sink)
    beside.start(Watch())
    beside.close()

    assert len(sink.sent) == 1
    assert sink.total("RecordsProcessed") == 12


def test_each_interval_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    beside = publisher(sink, interval=0.05)
    beside.start(Watch())
    while len(sink.sent) < 3:
        assert sink.has_sent.wait(PATIENCE)
        sink.has_sent.clear()
    beside.close()

    assert sink.total("RecordsProcessed") == 12
    assert not caplog.records


def test_what_a_sink_refuses_is_dropped_counted_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "kcl_py.metrics")
    sink = Sink()
    beside = publisher(sink)
    beside._worker, beside._sink = Watch(), sink
    sink.problem = "denied"
    for _ in range(3):
        beside.publish()
    sink.problem = None
    beside.publish()
    beside.publish()

    told = [(each.message, getattr(each, "problem", None)) for each in caplog.records]
    dropped = sum(len(sent) for sent in sink.sent[:3])
    assert told == [("metrics.dropped", "denied"), ("metrics.resumed", None)]
    assert caplog.records[0].__dict__["count"] == len(sink.sent[0])
    assert caplog.records[1].__dict__["dropped"] == dropped


def test_a_sink_that_raises_costs_an_interval_and_not_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Sink()
    sink.raises = KeyError("a bug of ours")
    beside = publisher(sink, interval=0.05)
    beside.start(Watch())
    while len(sink.sent) < 3:
        assert sink.has_sent.wait(PATIENCE)
        sink.has_sent.clear()
    beside.close()

    assert {each.message for each in caplog.records} == {"metrics.failed"}


# ---------------------------------------------------------------------------------- with a worker


def run_with(engine: Engine, metrics: MetricsConfig, **other: Any) -> None:
    """Process 40 records with a worker, which is stopped then."""
    kinesis = engine.session().client("kinesis")
    kinesis.create_stream(StreamName="people", ShardCount=2)
    seen: list[bytes] = []
    all_seen = threading.Event()

    def process(batch: Batch) -> None:
        seen.extend(record.data for record in batch)
        if len(seen) >= 40:
            all_seen.set()

    config = replace(engine.config(), leases=LeaseConfig(duration=3.0, settle=0.0), metrics=metrics)
    with Worker(
        app_name="demo", stream="people", processor=process, config=config, **other
    ) as worker:
        while worker.status().state != "running":
            time.sleep(0.02)
        kinesis.put_records(
            StreamName="people",
            Records=[{"Data": b"x", "PartitionKey": str(each)} for each in range(40)],
        )
        assert all_seen.wait(PATIENCE)


def test_cloudwatch_is_told_all_that_a_worker_did() -> None:
    sent: list[dict[str, Any]] = []

    def make(service: str, config: Config) -> Any:
        if service != "cloudwatch":
            return engine.session().client(service, config=config)  # type: ignore[call-overload]  # any
        made = client()
        sent_by(made)
        made.meta.events.register(
            "before-parameter-build.cloudwatch.PutMetricData",
            lambda params, **_: sent.append(params),
        )
        return made

    with Engine() as engine:
        run_with(engine, MetricsConfig(level="detailed", interval=1.0), client_factory=make)

    assert {request["Namespace"] for request in sent} == {"demo"}
    totals: Counter[tuple[str, ...]] = Counter()
    for datum in (datum for request in sent for datum in request["MetricData"]):
        names = tuple(each["Name"] for each in datum["Dimensions"])
        totals[(datum["MetricName"], *names)] += datum.get("Value", 0)
    assert totals["RecordsProcessed", "Operation"] == 40
    assert totals["RecordsProcessed", "Operation", "ShardId"] == 40
    assert totals["TakenLeases", "Operation", "WorkerIdentifier"] == 2
    assert totals["GivenLeases", "Operation"] == 2


def test_emf_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with Engine() as engine:
        run_with(
            engine,
            MetricsConfig(level="summary", sink="emf", namespace="mine"),
            session=engine.session(),
        )

    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {d["_aws"]["CloudWatchMetrics"][0]["Namespace"] for d in documents} == {"mine"}
    assert sum(document.get("RecordsProcessed", 0) for document in documents) == 40


def test_a_sink_that_nobody_answers_costs_the_worker_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
    with Engine() as engine:
        run_with(engine, MetricsConfig(level="summary", interval=1.0), session=engine.session())

    told = [each.__dict__ for each in caplog.records if each.message == "metrics.dropped"]
    assert told
    assert told[0]["sink"] == "cloudwatch"
    assert "cloudwatch:PutMetricData" in told[0]["problem"]


@pytest.mark.parametrize("missing", ["stream", "table"])
def test_a_worker_that_never_started_has_dropped_no_numbers(
    missing: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
    caplog.set_level(logging.INFO, "kcl_py")
    with Engine() as engine:
        if missing == "table":
            engine.session().client("kinesis").create_stream(StreamName="people", ShardCount=1)
        worker = Worker(
            app_name="demo",
            stream="people",
            processor=lambda batch: None,
            config=replace(
                engine.config(),
                table=TableConfig(create=False),
                metrics=MetricsConfig(level="summary"),
            ),
            session=engine.session(),
        )

        with pytest.raises(SetupError):
            worker.run()

    told = [each.message.split()[0] for each in caplog.records]
    assert "worker.failed" in told
    assert not {each for each in told if each.startswith("metrics.")}


def test_without_credentials_the_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
        ("AWS_CONFIG_FILE", "/nowhere"),
    ):
        monkeypatch.setenv(name, value)
    config = WorkerConfig(metrics=MetricsConfig(level="summary"), region="eu-west-1")
    worker = Worker(
        app_name="demo",
        stream="people",
        processor=lambda batch: None,
        config=config,
        session=boto3.session.Session(),
    )

    with pytest.raises(NoCredentials):
        worker.run()


def test_a_watch_is_what_a_companion_may_ask() -> None:
    watched: Watched = Watch()

    assert watched.status() is STATUS


class Endless(Sink):
    """Never comes back before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def send(self, points: Sequence[Point], at: float) -> Iterator[tuple[int, str | None]]:
        self.has_sent.set()
        self.go_on.wait(PATIENCE)
        yield from super().send(points, at)


def test_a_sending_that_does_not_end_is_told_and_holds_nobody_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a worker of which nothing is to be told, so that it hears of no event."""
    monkeypatch.setattr("kcl_py.metrics.publisher.JOIN_SECONDS", 0.0)
    monkeypatch.setattr("kcl_py.metrics.publisher.SENDING_SECONDS_MAX", 0.01)
    is_told = threading.Event()
    monkeypatch.setattr(caplog.handler, "emit", _also(caplog.handler.emit, is_told))
    sink = Endless()
    beside = publisher(sink, interval=0.05)
    beside.start(Watch())
    assert sink.has_sent.wait(PATIENCE)
    assert is_told.wait(PATIENCE)
    beside.close()
    sink.go_on.set()

    told = [(each.message, each.__dict__["sink"]) for each in caplog.records]
    assert told == [("metrics.unfinished", "test")] * 2


def _also(emit: Callable[[logging.LogRecord], None], done: threading.Event) -> Any:
    def both(record: logging.LogRecord) -> None:
        emit(record)
        done.set()

    return both


def test_a_sending_that_ends_leaves_nobody_who_watches_it(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    beside = publisher(sink, interval=0.05)
    beside.start(Watch())
    assert sink.has_sent.wait(PATIENCE)
    beside.close()
    for thread in threading.enumerate():
        if thread.name == "kcl-metrics-watch":
            thread.join(PATIENCE)
            assert not thread.is_alive()

    assert not caplog.records


def test_without_a_stdout_each_line_is_told_as_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    beside = publisher(Sink())
    beside._worker, beside._sink = Watch(), Emf("mine", _to_stdout, {})
    beside.publish()

    assert [each.message for each in caplog.records] == ["metrics.dropped"]
    assert "take another metrics.sink" in caplog.records[0].__dict__["problem"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_is_full_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beside = publisher(Sink())
    beside._worker, beside._sink = Watch(), Emf("mine", _to_stdout, {})
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", closefd=False)
    monkeypatch.setattr("sys.stdout", full)
    beside.publish()

    assert "No space left" in caplog.records[0].__dict__["problem"]
    os.close(full.fileno())
