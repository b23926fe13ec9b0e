"""What does a producer answer? The outcome of one record, and how to wait for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, final

__all__ = ["AsyncDelivery", "Delivery", "Encoder", "Payload", "PutFailure", "PutResult"]

Payload: TypeAlias = object
"""bytes-like and str go as they are; all else through the encoder (JSON by default)."""

Encoder: TypeAlias = Callable[[Any], bytes]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """Where a record is now. Of an aggregated one: where the record is that holds it.

    Attributes:
        attempts: How often it was sent.
    """

    shard_id: str
    sequence_number: str
    attempts: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PutFailure:
    """A record that was not delivered, whole.

    Attributes:
        data: As it was to be stored, which is after the encoder.
        error_code: Of the service; else the name of what went wrong on the way, `RecordExpired`
            (never sent in its time) or `ProducerClosed`.
        attempts: How often it was sent.
    """

    # Neither data nor key in logs.
    data: bytes = field(repr=False)
    partition_key: str = field(repr=False)
    explicit_hash_key: str | None
    error_code: str
    error_message: str
    attempts: int


class Delivery(Protocol):
    """One record on its way; may be ignored."""

    def done(self) -> bool:
        """Whether it was delivered or handed back."""

    def result(self, timeout: float | None = None) -> PutResult:
        """Wait for the outcome.

        Raises:
            PutFailed: It was not delivered.
            TimeoutError: Nothing is known after `timeout` seconds.
        """

    def add_done_callback(self, callback: Callable[[Delivery], object], /) -> None:
        """Call it with this delivery once it is done, in a thread of the producer's.

        At once and here if it is done already. What it raises is logged.
        """


class AsyncDelivery(Awaitable[PutResult], Protocol):
    """One record on its way; awaiting it raises PutFailed if it was not delivered."""

    def done(self) -> bool:
        """Whether it was delivered or handed back."""
