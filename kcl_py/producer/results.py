"""What does a producer answer? The outcome of one record, and how to wait for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, final

from kcl_py.core.puts import ENTRY_KINDS

__all__ = ["AsyncDelivery", "Delivery", "Encoder", "Payload", "PutFailure", "PutResult"]

Payload: TypeAlias = object
"""bytes-like and str go as they are; all else through the encoder (JSON by default)."""

Encoder: TypeAlias = Callable[[Any], bytes]

Cause: TypeAlias = Literal["passing", "record", "stream"]

_NEXT_STEPS = {
    "ResourceNotFoundException": (
        "check name, region and account, or create the stream "
        "(kcl_py.streams.ensure_stream, kcl stream create)"
    ),
    **dict.fromkeys(
        ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"),
        "allow kinesis:PutRecords on this stream in the IAM policy",
    ),
    **dict.fromkeys(
        ("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException"),
        "renew the credentials",
    ),
    "ProvisionedThroughputExceededException": (
        "put more slowly, add shards, or raise record_ttl to wait longer"
    ),
    "RecordExpired": "put more slowly, or raise record_ttl to wait longer",
}
"""What to do about an error code."""


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
        cause: What has to change before it helps to put it again. passing: nothing, it may help
            later. record: the record, which the service refuses as it is. stream: the stream, its
            key or the permissions for it, and until then every record comes back like this one.
    """

    # Neither data nor key in logs.
    data: bytes = field(repr=False)
    partition_key: str = field(repr=False)
    explicit_hash_key: str | None
    error_code: str
    error_message: str
    attempts: int
    cause: Cause = "passing"

    @property
    def permanent(self) -> bool:
        """Putting it again cannot help until somebody has changed something."""
        return self.cause != "passing"

    @property
    def next_step(self) -> str:
        """What to do about it; empty if only the message can tell."""
        code = self.error_code
        if code.startswith("KMS") and code in ENTRY_KINDS and self.permanent:
            return "check the KMS key of the stream, and the permissions for it"
        return _NEXT_STEPS.get(code, "")


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
