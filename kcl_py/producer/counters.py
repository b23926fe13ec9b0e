"""What did a producer do so far?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class ProducerCounters:
    """Counts since the producer was made. A copy: it does not go on counting.

    Attributes:
        records: Delivered.
        bytes: Of their data and keys.
        failures: Records that were handed back.
        retries: Entries that were sent again; an aggregated record is one entry.
        throttles: Entries that the service refused for its rate.
        requests: PutRecords that ended, in whatever way.
        request_seconds: How long these took together.
        request_seconds_max: The longest of them.
        delivery_seconds: From `put` until delivered, of all records together.
        delivery_seconds_max: The longest of these.
        pending: Records accepted and neither delivered nor handed back, now.
        buffered_bytes: What they and what was handed back take of `buffer_bytes`, now.
    """

    records: int = 0
    bytes: int = 0
    failures: int = 0
    retries: int = 0
    throttles: int = 0
    requests: int = 0
    request_seconds: float = 0.0
    request_seconds_max: float = 0.0
    delivery_seconds: float = 0.0
    delivery_seconds_max: float = 0.0
    pending: int = 0
    buffered_bytes: int = 0
