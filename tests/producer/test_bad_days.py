"""Does a Producer keep its word on a bad day? Against the embedded engine.

Reshardings under way, a stream that goes, credentials that end, a stop in the middle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kcl_py import Producer, ProducerConfig, PutFailed, PutFailure, Undelivered
from kcl_py.aws.direct.calls import DirectCall
from kcl_py.producer.core import retrying
from kcl_py.records import Record
from tests.producer.conftest import Stream

QUICK = ProducerConfig(linger=0.005)
SECONDS_MAX = 30.0
KEYS = 20


def producer_of(stream: Stream, config: ProducerConfig = QUICK, **more: Any) -> Producer:
    return Producer(stream.name, config=config, session=stream.session, **more)


def numbers_by_key(records: list[Record]) -> dict[str, list[int]]:
    """First copies, as a consumer sees them who reads parents before children."""
    found: dict[str, list[int]] = {}
    for record in records:
        numbers = found.setdefault(record.partition_key, [])
        if int(record.data) not in numbers:
            numbers.append(int(record.data))
    return found


FAULTS: list[list[dict[str, Any]]] = [
    [],
    [
        {"kind": "throttle", "probability": 0.1},
        {"kind": "500", "probability": 0.1},
        {"kind": "lost", "probability": 0.1},
        {"kind": "cut", "probability": 0.1},
        {"kind": "partial", "probability": 0.2},
    ],
]


@pytest.mark.parametrize("rules", FAULTS, ids=["no faults", "all faults"])
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_splits_and_merges_under_way_keep_every_record_and_every_key_in_order(
    stream: Stream,
    aggregation: Any,
    rules: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrying, "WAIT_SECONDS_FIRST", 0.01)
    stream.faults(*rules)
    config = replace(QUICK, order="per_key", aggregation=aggregation, batch_records=50)
    changes: dict[int, Callable[[], None]] = {
        80: lambda: stream.split(0),
        200: lambda: stream.split(1),
        350: stream.merge,
        450: stream.merge,
    }
    with producer_of(stream, config) as producer:
        for number in range(600):
            producer.put(b"%d" % number, key=f"key-{number % KEYS}")
            if number in changes:
                changes[number]()
            if number % 40 == 0:
                assert producer.flush() == []

    counters = producer.counters()
    assert (counters.records, counters.failures, counters.buffered_bytes) == (600, 0, 0)
    assert len(stream.shards()) == 8, "two splits and two merges were made"
    found = numbers_by_key(stream.records())
    assert found == {f"key-{key}": list(range(key, 600, KEYS)) for key in range(KEYS)}


@pytest.mark.parametrize("order", ["none", "per_key"])
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_a_stream_that_is_deleted_in_the_middle_of_a_flush_is_told_by_every_outcome(
    stream: Stream, order: Any, aggregation: Any
) -> None:
    stream.faults({"kind": "delay", "seconds": 0.02})
    config = replace(QUICK, order=order, aggregation=aggregation, batch_records=10)
    told: list[PutFailure] = []
    producer = producer_of(stream, config, on_failure=told.append)
    deliveries = [producer.put(b"%d" % n, key=f"key-{n % KEYS}") for n in range(400)]
    returned: list[Any] = []
    flushing = threading.Thread(target=lambda: returned.append(producer.flush()))
    flushing.start()
    deliveries[0].result(SECONDS_MAX)
    stream.client.delete_stream(StreamName=stream.name)
    late = producer.put(b"400", key="key-0")
    flushing.join()
    producer.close()

    failed: dict[int, PutFailure] = {}
    for number, delivery in enumerate([*deliveries, late]):
        assert delivery.done()
        try:
            delivery.result()
        except PutFailed as error:
            failed[number] = error.failure
    assert 400 in failed
    assert 0 not in failed
    assert {failure.error_code for failure in failed.values()} == {"ResourceNotFoundException"}
    assert {failure.cause for failure in failed.values()} == {"stream"}
    assert sorted(int(failure.data) for failure in told) == sorted(failed)
    assert returned == [[]], "the hook has them"


def expire(monkeypatch: pytest.MonkeyPatch, is_expired: Callable[[], bool]) -> None:
    """Let requests be refused as AWS does when a token has ended."""
    put_records = DirectCall.__call__

    def put(self: DirectCall, **request: Any) -> Any:
        if not is_expired():
            return put_records(self, **request)
        error = {"Code": "ExpiredTokenException", "Message": "The security token has expired"}
        raise ClientError({"Error": error}, "PutRecords")  # type: ignore[typeddict-item]

    monkeypatch.setattr(DirectCall, "__call__", put)


def test_credentials_that_expire_midway_are_waited_for_until_they_are_renewed(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter([True] * 4)
    with producer_of(stream, replace(QUICK, order="per_key")) as producer:
        producer.put(b"0", key="k").result(SECONDS_MAX)
        expire(monkeypatch, lambda: next(refusals, False))
        for number in range(1, 50):
            producer.put(b"%d" % number, key="k")
        assert producer.flush() == []

    assert numbers_by_key(stream.records()) == {"k": list(range(50))}
    assert producer.counters().retries == 4


def test_credentials_that_stay_expired_are_told_when_the_time_of_a_record_is_over(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = producer_of(stream, replace(QUICK, record_ttl=0.3))
    expire(monkeypatch, lambda: True)
    delivery = producer.put(b"0", key="k")
    with pytest.raises(PutFailed, match=r"ExpiredTokenException.*renew the credentials") as caught:
        delivery.result(SECONDS_MAX)
    producer.close()

    assert caught.value.failure.cause == "passing"
    assert "security token" not in str(caught.value)


@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_a_stop_in_the_middle_of_a_resharding_hands_back_what_is_not_there(
    stream: Stream, aggregation: Any
) -> None:
    stream.faults({"kind": "lost", "probability": 0.5}, {"kind": "partial", "probability": 0.5})
    config = replace(QUICK, order="per_key", aggregation=aggregation, batch_records=10)
    producer = producer_of(stream, config)
    for number in range(300):
        producer.put(b"%d" % number, key=f"key-{number % KEYS}")
        if number == 150:
            stream.split(0)
    handed_back: list[int] = []
    try:
        producer.close(timeout=0.02)
    except Undelivered as left:
        handed_back = [int(failure.data) for failure in left.failures]

    stored = {int(record.data) for record in stream.records()}
    assert stored | set(handed_back) == set(range(300))
    assert len(handed_back) == len(set(handed_back))
    assert producer.counters().buffered_bytes == 0
