"""What comes next in a shard behind some place, and how old is it? One record, no consumer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from kcl_py.aws.failures import UnparsableAnswerError, failure
from kcl_py.aws.retry import Patience, control_calls
from kcl_py.core.commands import Start, StartKind
from kcl_py.core.events import Failure

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

    from kcl_py.aws.names import StreamAddress

ATTEMPTS_MAX: Final = 5
"""Consumers of the shard share its 5 calls a second with us; a throttled call waits for them."""


@dataclass(frozen=True, slots=True)
class Peek:
    """What one read of one record told.

    Attributes:
        behind: Seconds that the service says the read is behind the tip.
        sequence_number: Of the record that came; None: none did.
        arrived_at: When it arrived, unix seconds.
        server_time: When the service answered, unix seconds; None: it did not say.
        has_ended: Nothing follows in this shard.
    """

    behind: float
    sequence_number: str | None
    arrived_at: float | None
    server_time: float | None
    has_ended: bool

    @property
    def lag(self) -> float:
        """Seconds behind the tip: the age of the record that is next, else what the service says.

        Both times are the service's own. Its word alone is about the place behind the record.
        """
        if self.arrived_at is None or self.server_time is None:
            return self.behind
        return max(self.behind, self.server_time - self.arrived_at, 0.0)


class Peeker:
    """Looks into the shards of one stream. Thread-safe; never raises.

    Args:
        client: A plain client that repeats nothing by itself.
        stream: As the user named it.
        patience: How a throttled call waits.
    """

    def __init__(
        self, client: KinesisClient, stream: StreamAddress, patience: Patience | None = None
    ) -> None:
        self._client = client
        self._stream = stream
        self._patience = patience or Patience()

    def peek(self, shard_id: str, start: Start) -> Peek | Failure:
        """Read one record, if there is one. An answer without any says nothing of what is behind.

        Args:
            shard_id: Where.
            start: From which place on.
        """
        action = "kinesis:GetShardIterator"
        calls = control_calls(self._patience, attempts=ATTEMPTS_MAX)
        try:
            got: Mapping[str, Any] = calls(
                self._client.get_shard_iterator,
                ShardId=shard_id,
                **self._stream.parameters,
                **_where(start),
            )
            iterator = got.get("ShardIterator")
            if not iterator:
                raise UnparsableAnswerError("an answer without ShardIterator")  # noqa: TRY301
            action = "kinesis:GetRecords"
            account = {"StreamARN": self._stream.arn} if self._stream.arn else {}
            answer: Mapping[str, Any] = calls(
                self._client.get_records, ShardIterator=iterator, Limit=1, **account
            )
            return _read(answer)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return failure(error, action)


def _where(start: Start) -> dict[str, Any]:
    where: dict[str, Any] = {"ShardIteratorType": start.kind.value}
    if start.kind is StartKind.AT_TIMESTAMP:
        where["Timestamp"] = start.timestamp
    elif start.sequence_number is not None:
        where["StartingSequenceNumber"] = start.sequence_number
    return where


def _read(answer: Mapping[str, Any]) -> Peek:
    records = answer.get("Records")
    has_ended = not answer.get("NextShardIterator")
    behind = answer.get("MillisBehindLatest")
    if records is None or (behind is None and not has_ended):
        raise UnparsableAnswerError("an answer without Records or MillisBehindLatest")
    first: Mapping[str, Any] = records[0] if records else {}
    arrived = first.get("ApproximateArrivalTimestamp")
    return Peek(
        behind=(behind or 0) / 1000,
        sequence_number=first.get("SequenceNumber"),
        arrived_at=None if arrived is None else arrived.timestamp(),
        server_time=server_time_of(answer),
        has_ended=has_ended,
    )


def server_time_of(answer: Mapping[str, Any]) -> float | None:
    """When the service answered, by its Date header, unix seconds."""
    headers = (answer.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
