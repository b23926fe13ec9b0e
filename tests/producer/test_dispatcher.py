"""What does the dispatcher share with boto3_batch_utils, and what does it do better?

Each line of the table is one behaviour that was observed there; the page
docs/how-to/migrate-from-boto3-batch-utils.md has the same lines in prose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from kcl_py import KinesisBatchDispatcher, RecordRefused
from kcl_py.local.environment import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from tests.producer.conftest import Stream


def dispatcher_of(stream: Stream, identifier: str | None = None, **more: Any) -> Any:
    return KinesisBatchDispatcher(
        more.pop("name", stream.name),
        identifier,
        region_name=REGION,
        endpoint_url=stream.engine.endpoint_url,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        **more,
    )


def values(stream: Stream) -> list[Any]:
    return [json.loads(record.data) for record in stream.records()]


@pytest.fixture
def dispatcher(stream: Stream) -> Iterator[Any]:
    made = dispatcher_of(stream, "id")
    yield made
    made.flush_payloads()


# ------------------------------------------------------------------------------------- the same


def test_it_says_what_it_is() -> None:
    assert str(KinesisBatchDispatcher("people")) == "KinesisBatchDispatcher::people"
    made = KinesisBatchDispatcher("people", "id", 100)
    assert (made.stream_name, made.partition_key_identifier, made.max_batch_size) == (
        "people",
        "id",
        100,
    )


def test_flush_sends_everything_and_returns_nothing_if_all_went_well(
    stream: Stream, dispatcher: Any
) -> None:
    for number in range(600):
        assert dispatcher.submit_payload({"id": number}) is None

    assert dispatcher.flush_payloads() == []
    assert sorted(value["id"] for value in values(stream)) == list(range(600))


def test_a_flush_of_nothing_is_nothing(stream: Stream) -> None:
    assert KinesisBatchDispatcher("missing").flush_payloads() == []


def test_the_key_is_the_named_field_as_text(stream: Stream, dispatcher: Any) -> None:
    dispatcher.submit_payload({"id": 7})
    dispatcher.flush_payloads()

    assert [record.partition_key for record in stream.records()] == ["7"]


def test_without_a_name_keys_are_random(stream: Stream) -> None:
    made = dispatcher_of(stream)
    for _ in range(20):
        made.submit_payload({"id": 7})
    made.flush_payloads()

    assert len({record.partition_key for record in stream.records()}) == 20


@pytest.mark.parametrize("payload", [1, "text", None, [1, 2], True, {"a": {"b": "é"}}])
def test_any_json_value_is_written_as_json(stream: Stream, payload: Any) -> None:
    made = dispatcher_of(stream)
    made.submit_payload(payload)
    made.flush_payloads()

    assert values(stream) == [payload]


@pytest.mark.parametrize(("payload", "error"), [({"a": 1}, KeyError), ([1], TypeError)])
def test_a_payload_without_the_field_is_refused_as_there(
    dispatcher: Any, payload: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        dispatcher.submit_payload(payload)


def test_more_than_500_records_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="max_batch_size = 501"):
        KinesisBatchDispatcher("people", max_batch_size=501)


def test_a_full_batch_goes_without_a_flush(stream: Stream) -> None:
    made = dispatcher_of(stream, max_batch_size=10)
    for number in range(10):
        made.submit_payload(number)
    engine = made._opened.engine
    with engine.lock:
        while engine.core.ledger.pending:
            engine._wait(None)

    assert len(stream.records()) == 10


# ------------------------------------------------------------------------------------ better here


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_that_lose_records_there_are_refused_here(size: int) -> None:
    with pytest.raises(ValueError, match="max_batch_size"):
        KinesisBatchDispatcher("people", max_batch_size=size)


@pytest.mark.parametrize("number", ["-1.5", "-0.25", "1.5", "2", "100"])
def test_decimals_keep_their_value(stream: Stream, number: str) -> None:
    made = dispatcher_of(stream)
    made.submit_payload({"n": Decimal(number)})
    made.flush_payloads()

    assert values(stream) == [{"n": float(number)}]


def test_dates_are_written(stream: Stream) -> None:
    made = dispatcher_of(stream)
    made.submit_payload({"at": datetime(2026, 11, 21, tzinfo=UTC)})
    made.flush_payloads()

    assert values(stream) == [{"at": "2026-11-21T00:00:00Z"}]


def test_a_size_is_what_the_service_counts(stream: Stream) -> None:
    """There, quotes and the names around the data are counted too, and this is refused."""
    made = dispatcher_of(stream)
    text = "x" * 999_990
    made.submit_payload(text)
    made.submit_payload('"' * 260_000)

    assert made.flush_payloads() == []
    assert len(stream.records()) == 2


def test_what_is_too_large_is_refused_and_the_rest_stays(stream: Stream, dispatcher: Any) -> None:
    dispatcher.submit_payload({"id": 1})
    with pytest.raises(ValueError, match="the stream takes"):
        dispatcher.submit_payload({"id": 2, "text": "x" * (11 * 1024 * 1024)})

    assert dispatcher.flush_payloads() == []
    assert len(stream.records()) == 1


def test_an_empty_key_is_named(dispatcher: Any) -> None:
    with pytest.raises(RecordRefused, match="key is empty"):
        dispatcher.submit_payload({"id": ""})


def test_bytes_are_refused_by_name() -> None:
    with pytest.raises(RecordRefused, match="bytes have no JSON"):
        KinesisBatchDispatcher("people").submit_payload(b"raw")


def test_many_partial_failures_end(stream: Stream, dispatcher: Any) -> None:
    """There, five records that always fail end in a RecursionError."""
    stream.faults({"kind": "partial", "probability": 0.7})
    for number in range(50):
        dispatcher.submit_payload({"id": number})

    assert dispatcher.flush_payloads() == []
    assert len(stream.records()) == 50


def test_leftovers_come_back_as_submitted_and_once(stream: Stream) -> None:
    """There they are decoded from JSON again, and come back at every flush."""
    made = dispatcher_of(stream, "id", name="missing")
    payloads = [{"id": 1, "n": Decimal("-1.5")}, {"id": 2}]
    for payload in payloads:
        made.submit_payload(payload)

    left = made.flush_payloads()
    assert left == payloads
    assert all(one is other for one, other in zip(left, payloads, strict=True))
    assert made.flush_payloads() == []


def test_a_lost_connection_keeps_what_was_delivered_delivered(
    stream: Stream, dispatcher: Any
) -> None:
    """There the whole buffer is sent again, also what arrived."""
    stream.faults({"kind": "cut", "count": 2})
    for number in range(600):
        dispatcher.submit_payload({"id": number})

    assert dispatcher.flush_payloads() == []
    assert len(stream.records()) == 600
