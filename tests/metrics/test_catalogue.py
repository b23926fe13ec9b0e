"""Is the catalogue in order, and does each of its metrics find its number?"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric
from kcl_py.metrics.prometheus import full_name
from kcl_py.status import Timing, WorkerStatus, idle_status
from tests.metrics.samples import STATUS

# Source: the metrics of the Java KCL 3.5 and where they are emitted.
OF_THE_KCL = {
    ("ApplicationTracker", "MillisBehindLatest"),
    ("ProcessTask", "MillisBehindLatest"),
    ("ProcessTask", "RecordsProcessed"),
    ("ProcessTask", "DataBytesProcessed"),
    ("ProcessTask", "RecordProcessor.processRecords.Time"),
    ("ProcessTask", "KinesisDataFetcher.getRecords.Time"),
    ("ProcessTask", "ExpiredIterator"),
    ("RenewAllLeases", "CurrentLeases"),
    ("RenewAllLeases", "LostLeases"),
    ("RenewAllLeases", "RenewLease.Time"),
    ("TakeLeases", "TakenLeases"),
    ("TakeLeases", "NumWorkers"),
}


def sources(metric: Metric, status: WorkerStatus) -> list[object]:
    if metric.scope == "work":
        return list(status.work.values())
    return list(status.shards.values()) if metric.scope == "held" else [status]


def test_names_are_unique_and_are_names() -> None:
    names = [full_name(metric) for metric in METRICS]
    watched = [(metric.operation, metric.cloudwatch) for metric in METRICS]

    assert len(set(names)) == len(names)
    assert len(set(watched)) == len(watched)
    assert all(re.fullmatch(r"kcl_[a-z_]+", name) for name in names)


def test_what_is_counted_has_a_name_and_nothing_else_has() -> None:
    for metric in METRICS:
        assert (metric.thing is not None) == (metric.unit == "count"), metric.name
        assert metric.thing is None or re.fullmatch(r"[a-z]+", metric.thing)


def test_what_is_said_to_be_of_the_kcl_is() -> None:
    told = {(each.operation, each.cloudwatch) for each in METRICS if each.is_kcl}

    assert told == OF_THE_KCL


@pytest.mark.parametrize("metric", METRICS, ids=full_name)
def test_each_finds_its_number_and_it_is_not_nothing(metric: Metric) -> None:
    found = [metric.read(source) for source in sources(metric, STATUS)]

    assert found
    assert all(isinstance(each, Timing) == (metric.kind == "time") for each in found)
    assert all(each.count if isinstance(each, Timing) else each for each in found)


@pytest.mark.parametrize("metric", METRICS, ids=full_name)
def test_before_anything_happened_a_count_is_zero(metric: Metric) -> None:
    found = [metric.read(each) for each in sources(metric, idle_status("w-1", "starting"))]

    assert all(each.count == 0 for each in found if isinstance(each, Timing))
    if metric.kind == "count":
        assert not any(each for each in found)


def test_a_worker_without_shards_knows_no_lag() -> None:
    lag = next(each for each in METRICS if each.scope == "application")

    assert lag.read(STATUS) == 95.0
    assert lag.read(replace(STATUS, shards={})) is None
