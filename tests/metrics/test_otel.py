"""Do OpenTelemetry's instruments get a worker's numbers, each once, in the units that it wants?"""

from __future__ import annotations

import gc
import logging
import re
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from kcl_py import ConfigError, MetricsConfig, Worker, WorkerConfig
from kcl_py.companions import Watched
from kcl_py.local import Engine
from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric
from kcl_py.metrics.otel import (
    OpenTelemetry,
    _instruments_of,
    instrument_name,
    instrument_unit,
)
from kcl_py.metrics.points import Level
from kcl_py.metrics.prometheus import full_name
from kcl_py.metrics.publisher import Publisher
from kcl_py.status import WorkerEvent, WorkerStatus, idle_status
from tests.metrics.samples import STATUS, timing
from tests.metrics.test_publisher import Watch, run_with

APP = {"kcl.application": "greeter", "aws.kinesis.stream_name": "people"}

# Source: OpenTelemetry's compatibility with Prometheus: annotations are dropped, the rest is
# spelled out, and 1 is a ratio if it is of a gauge.
SPELLED = {"By": "_bytes", "s": "_seconds", "1": "_ratio"}


class Reader:
    """A provider of its own, and what is collected from it."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.fed_by: list[Publisher] = []  # which know their workers, as long as there are any

    def collect(self) -> dict[str, dict[tuple[str, ...], Any]]:
        """By name, then by the values of shard and worker: number, or data point of a time."""
        found: dict[str, dict[tuple[str, ...], Any]] = {}
        data = self.reader.get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        for scope in (scope for each in resources for scope in each.scope_metrics):
            assert scope.scope.name == "kcl_py"
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    of = dict(point.attributes or {})
                    assert {key: of.pop(key) for key in APP} == APP
                    assert set(of) <= {"kcl.shard", "kcl.worker"}
                    values = tuple(str(of[key]) for key in sorted(of))
                    number = getattr(point, "value", point)
                    assert values not in found.setdefault(metric.name, {})
                    found[metric.name][values] = number
        return found


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def reader() -> Iterator[Reader]:
    found = Reader()
    yield found
    found.provider.shutdown()


def fed(
    reader: Reader, status: WorkerStatus, level: Level = "summary", clock: Clock | None = None
) -> tuple[Watch, Publisher]:
    watch = Watch()
    watch.now = replace(status, worker_id=watch.worker_id)
    clock = clock or Clock()

    def make(worker: Any) -> OpenTelemetry:
        return OpenTelemetry(
            worker, provider=reader.provider, attributes=APP, level=level, now=clock
        )

    beside = Publisher(make, level=level, interval=10.0, now=clock, wall=clock)
    beside._worker, beside._sink = watch, make(watch)
    beside.publish()
    reader.fed_by.append(beside)
    return watch, beside


@pytest.mark.parametrize("metric", METRICS, ids=full_name)
def test_prometheus_names_are_what_a_collector_makes_of_ours(metric: Metric) -> None:
    unit = instrument_unit(metric)
    ending = "" if re.fullmatch(r"\{[a-z]+\}", unit) else SPELLED[unit]
    if metric.kind == "count":
        ending += "_total"

    assert instrument_name(metric).replace(".", "_") + ending == full_name(metric)


def test_every_metric_gets_there(reader: Reader) -> None:
    fed(reader, STATUS)

    assert set(reader.collect()) == {instrument_name(metric) for metric in METRICS}


def test_summary_tells_of_the_application(reader: Reader) -> None:
    fed(reader, STATUS)
    found = reader.collect()

    assert found["kcl.records_processed"] == {(): 12}
    assert found["kcl.handoffs"] == {(): 1}
    assert found["kcl.leases_held"] == {("w-1",): 2}
    assert found["kcl.unhealthy"] == {("w-1",): 1}
    assert found["kcl.lag"] == found["kcl.application_lag"] == {("w-1",): 95.0}
    assert found["kcl.fence_margin"] == {("w-1",): 6.25}
    assert found["kcl.cpu_used"] == {("w-1",): 0.75}
    (took,) = found["kcl.process_records"].values()
    assert (took.count, took.sum) == (8, pytest.approx(28.08))


def test_detailed_tells_of_each_shard_and_never_of_all_besides(reader: Reader) -> None:
    fed(reader, STATUS, "detailed")
    found = reader.collect()

    assert found["kcl.records_processed"] == {
        ("shardId-0",): 3,
        ("shardId-1",): 6,
        ("shardId-9",): 3,
    }
    assert found["kcl.lag"] == {("shardId-0", "w-1"): 1.5, ("shardId-1", "w-1"): 95.0}
    assert found["kcl.handoffs"] == {("w-1",): 1}
    assert found["kcl.application_lag"] == {("w-1",): 95.0}


def test_counts_grow_and_nothing_is_counted_twice(reader: Reader) -> None:
    watch, beside = fed(reader, STATUS)
    beside.publish()
    watch.now = replace(STATUS, at=110.0, events={**STATUS.events, "lease.taken": 10})
    beside.publish()

    assert reader.collect()["kcl.leases_taken"] == {(): 10}


@given(st.lists(st.floats(0, 1000) | st.sampled_from([0.001, 0.1, 1.0, 300.0]), max_size=40))
def test_each_duration_is_in_its_bucket(durations: list[float]) -> None:
    reader = Reader()
    took = timing(*durations)
    status = replace(STATUS, calls={"Scan": took})
    watch, beside = fed(reader, status)
    again = took.plus(took)
    watch.now = replace(status, at=110.0, calls={"Scan": again})
    beside.publish()
    found = reader.collect().get("kcl.table_scan", {})
    reader.provider.shutdown()

    assert bool(found) == bool(durations)
    for point in found.values():
        assert tuple(point.bucket_counts) == again.counts
        assert point.sum == pytest.approx(again.seconds)


def test_levels_are_those_of_the_moment_they_are_collected(reader: Reader) -> None:
    clock = Clock()
    watch, _ = fed(reader, STATUS, clock=clock)
    before = reader.collect()["kcl.buffered"]
    watch.now = replace(STATUS, at=105.0, buffered_bytes=7)
    clock.now += 5.0

    assert (before, reader.collect()["kcl.buffered"]) == ({("w-1",): 4096}, {("w-1",): 7})


def test_a_worker_that_does_not_answer_has_no_levels_and_keeps_its_counts(reader: Reader) -> None:
    clock = Clock()
    fed(reader, STATUS, clock=clock)
    reader.collect()
    clock.now += 60.0
    found = reader.collect()

    assert "kcl.leases_held" not in found
    assert found["kcl.records_processed"] == {(): 12}


def test_one_look_serves_all_gauges_of_a_collection(reader: Reader) -> None:
    watch, _ = fed(reader, STATUS)
    looks: list[float | None] = []

    def look() -> WorkerStatus:
        looks.append(watch.now.at)
        return watch.now

    watch.status = look  # type: ignore[method-assign]  # counted on the way
    reader.collect()

    assert looks == [100.0]


def test_what_has_ended_is_let_go_and_a_second_worker_is_told_by_the_same_gauges(
    reader: Reader,
) -> None:
    clock = Clock()
    first, _ = fed(reader, STATUS, clock=clock)
    second, _ = fed(reader, replace(STATUS, worker_id="w-2", buffered_bytes=1), clock=clock)
    second.worker_id = "w-2"
    both = reader.collect()
    first.now = replace(STATUS, at=110.0, state="stopped")
    second.now = replace(STATUS, at=110.0, buffered_bytes=2)
    clock.now += 10.0
    after = reader.collect()

    assert both["kcl.records_processed"] == {(): 24}, "of one application"
    assert list(after["kcl.buffered"].values()) == [2]


def test_a_fork_of_the_process_says_nothing_of_the_worker(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    watch, _ = fed(reader, STATUS)

    def refuse() -> WorkerStatus:
        raise RuntimeError("made before a fork")

    watch.status = refuse  # type: ignore[method-assign]

    assert "kcl.leases_held" not in reader.collect()
    assert not caplog.records


def test_a_worker_that_has_not_begun_says_nothing(reader: Reader) -> None:
    fed(reader, idle_status("w-1", "starting"))

    assert reader.collect() == {}


def test_where_nobody_collects_workers_are_let_go_all_the_same(reader: Reader) -> None:
    gone = []
    for _ in range(5):
        watch, _ = fed(reader, STATUS)
        gone.append(weakref.ref(watch))
        reader.fed_by.clear()
        del watch, _
        gc.collect()

    assert [each() for each in gone] == [None] * 5
    assert len(_instruments_of(reader.provider)._views) == 1


def test_an_instrument_that_raises_costs_its_own_numbers_only(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """As one of a MeterProvider that somebody wrote himself."""

    def refuse(*_: Any) -> None:
        raise ZeroDivisionError("a bug of theirs")

    fed(reader, idle_status("w-1", "starting"))
    counters = _instruments_of(reader.provider)._counters
    broken = next(iter(counters))
    counters[broken] = Broken(refuse)  # type: ignore[assignment]
    fed(reader, STATUS)

    found = reader.collect()
    assert broken.name == "records_processed"
    assert {instrument_name(each) for each in METRICS} - set(found) == {"kcl.records_processed"}
    assert found["kcl.processed"] == {(): 1200}
    (told,) = caplog.records
    assert (told.message, vars(told)["count"]) == ("metrics.dropped", 1)
    problem = "kcl.records_processed: ZeroDivisionError: a bug of theirs"
    assert vars(told)["problem"] == problem


class Broken:
    def __init__(self, add: Any) -> None:
        self.add = add


@pytest.mark.parametrize(("provider", "warns"), [(NoOpMeterProvider(), True), (None, False)])
def test_numbers_that_nobody_exports_are_told_once(
    provider: AnyMeterProvider | None,
    warns: bool,  # noqa: FBT001 - a column of the table
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    OpenTelemetry(
        Watch(),
        provider=provider or reader.provider,
        attributes=APP,
        level="summary",
        now=Clock(),
    )
    told = [each for each in caplog.records if each.message == "metrics.unheard"]

    assert len(told) == warns
    assert all("opentelemetry-instrument" in each.__dict__["problem"] for each in told)
    assert all(each.levelno == logging.WARNING for each in told)


GLOBAL = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from kcl_py.metrics.otel import OpenTelemetry
from tests.metrics.test_publisher import Watch

workers = [Watch(), Watch()]

def start(worker):
    OpenTelemetry(worker, provider=None, attributes={}, level="summary", now=lambda: 0.0)

start(workers[0])
print("configured")
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
start(workers[1])
found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
print({each.name: len(each.data.data_points) for each in found}["kcl.leases_held"])
"""


def test_the_global_provider_counts_also_if_it_is_configured_late() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GLOBAL], capture_output=True, check=False, text=True
    )

    # Both watches have one worker id, so that their points are one.
    assert done.stdout.split() == ["configured", "1"], done.stderr
    assert done.stderr.split() == ["metrics.unheard"]


# ---------------------------------------------------------------------------------- with a worker


class Collecting:
    """A companion that collects once, when a lease has been taken."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader
        self.leases_held: list[float] = []

    def start(self, worker: Watched) -> None:
        """Nothing."""

    def hear(self, event: WorkerEvent) -> None:
        if event.name == "lease.taken" and not self.leases_held:
            self.leases_held += numbers_of(self._reader)["kcl.leases_held"]

    def close(self) -> None:
        """Nothing."""


def numbers_of(reader: InMemoryMetricReader) -> dict[str, list[float]]:
    """What is collected, without attributes; of times nothing."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: [getattr(point, "value", 0) for point in metric.data.data_points]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }


def test_a_worker_feeds_the_provider_that_it_was_given(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    beside = Collecting(reader.reader)
    config = MetricsConfig(level="detailed", sink="otel", meter_provider=reader.provider)
    with Engine() as engine:
        run_with(engine, config, session=engine.session(), companions=[beside])
    found = numbers_of(reader.reader)

    assert beside.leases_held in ([1], [2])
    assert sum(found["kcl.records_processed"]) == 40
    assert sum(found["kcl.leases_taken"]) == sum(found["kcl.leases_given"]) == 2
    assert not [each for each in caplog.records if each.message.startswith("metrics.")]


def test_without_the_package_the_worker_is_refused_and_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kcl_py._otel.find_spec", lambda name: None)
    config = WorkerConfig(metrics=MetricsConfig(level="summary", sink="otel"))

    with pytest.raises(ConfigError, match=re.escape("pip install 'kcl-py[otel]'")):
        Worker(app_name="demo", stream="people", processor=lambda batch: None, config=config)


def test_a_provider_is_for_this_sink_and_is_one() -> None:
    with pytest.raises(ConfigError, match=re.escape("is for metrics.sink = 'otel', not 'emf'")):
        MetricsConfig(sink="emf", meter_provider=NoOpMeterProvider())
    with pytest.raises(ConfigError, match="has no get_meter"):
        MetricsConfig(sink="otel", meter_provider="http://127.0.0.1:4317")
