"""Dead letters for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from kcl_py import DeadLetter, Record

ARN = "arn:aws:kinesis:eu-central-1:123456789012:stream/orders"


def letter(number: int = 1, **changes: Any) -> DeadLetter:
    record = Record(
        sequence_number=str(number),
        sub_sequence_number=changes.pop("sub", 0),
        data=changes.pop("data", b"%d" % number),
        partition_key=changes.pop("key", f"key {number}"),
        explicit_hash_key=changes.pop("hash_key", None),
        arrival_timestamp=1_764_000_000.25,
    )
    usual: dict[str, Any] = {
        "record": record,
        "app_name": "app",
        "stream_arn": ARN,
        "shard_id": "shardId-000000000000",
        "attempts": 3,
        "error_type": "ValueError",
        "error_message": "no",
        "failed_at": datetime(2026, 11, 26, 6, 0, tzinfo=UTC),
    }
    return DeadLetter(**(usual | changes))


TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
RECORDS = st.builds(
    Record,
    sequence_number=st.integers(1, 10**56).map(str),
    sub_sequence_number=st.integers(0, 99),
    data=st.binary(max_size=50),
    partition_key=TEXT,
    explicit_hash_key=st.none() | st.integers(0, 2**128 - 1).map(str),
    arrival_timestamp=TIMES.map(lambda when: when.timestamp()),
)
LETTERS = st.builds(
    DeadLetter,
    record=RECORDS,
    app_name=TEXT,
    stream_arn=st.just(ARN),
    shard_id=TEXT,
    attempts=st.integers(1, 100),
    error_type=TEXT,
    error_message=TEXT,
    failed_at=TIMES,
)
