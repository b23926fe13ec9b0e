"""How is a stream described, listed and read? Reads end in values; only set-up raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kcl_py.aggregation import Deaggregated, deaggregate_page
from kcl_py.aws.decode import DECODED, DecodedPage, RecordsAnswer
from kcl_py.aws.failures import UnparsableAnswerError, error_code, failure, kind_of, public_error
from kcl_py.aws.names import StreamAddress
from kcl_py.aws.peeking import server_time_of
from kcl_py.aws.retry import POLL_TOTAL_SECONDS, POLLS_MAX, Patience, control_calls, poll_seconds
from kcl_py.core.commands import Fetch, StartKind
from kcl_py.core.consumer.page import Page
from kcl_py.core.events import Failure, FailureKind, FetchFailed, PageFetched
from kcl_py.core.facts import StreamFacts
from kcl_py.core.shards.graph import Shard
from kcl_py.errors import StreamNotFound, Unavailable
from kcl_py.records import Position

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

SHARDS_PER_PAGE: Final = 1000
PAGES_MAX: Final = 1000
LIST_ATTEMPTS_MAX: Final = 4
LISTINGS_MAX: Final = 3
"""How often a listing begins, in case its token expires (it lives 300 s)."""

USER_RECORD_BYTES: Final = 150
"""What a user record out of an aggregate takes in memory besides its data: objects, a reference."""


# --------------------------------------------------------------------------------------- describing


def describe_stream(
    client: KinesisClient,
    stream: StreamAddress,
    *,
    patience: Patience,
    on_progress: Callable[[str], None],
) -> StreamFacts:
    """Find out which stream this is; wait while it is being created.

    Args:
        client: For control calls.
        stream: As the user named it.
        patience: How to wait; at most ten minutes.
        on_progress: Told what is being waited for.

    Raises:
        StreamNotFound: It is not there, or is being deleted.
        KclError: Access, credentials, or the service.
    """
    for round_number in range(POLLS_MAX):
        summary = _summary(client, stream, patience)
        status = summary["StreamStatus"]
        if status == "DELETING":
            raise StreamNotFound(
                f"the stream {stream.name} is being deleted; name another, or create it again"
            )
        if status != "CREATING" and summary["OpenShardCount"] > 0:
            return StreamFacts(
                name=summary["StreamName"],
                arn=summary["StreamARN"],
                created_at=summary["StreamCreationTimestamp"].timestamp(),
            )
        on_progress(f"the stream {stream.name} is {status} and has no open shard yet")
        patience.sleep(poll_seconds(round_number))
        if patience.is_stopping():
            raise Unavailable(f"stopped while waiting for the stream {stream.name}")
    raise Unavailable(
        f"the stream {stream.name} had no open shard for {POLL_TOTAL_SECONDS} s; "
        "look at it in the console"
    )


def _summary(client: KinesisClient, stream: StreamAddress, patience: Patience) -> Mapping[str, Any]:
    action = "kinesis:DescribeStreamSummary"
    try:
        answer: Mapping[str, Any] = control_calls(patience)(
            client.describe_stream_summary, **stream.parameters
        )
        return _checked_summary(answer)
    except Exception as error:  # noqa: BLE001 - every exception has a meaning
        if kind_of(error) is FailureKind.GONE:
            raise StreamNotFound(
                f"there is no stream {stream.name} in {client.meta.region_name}; "
                "check name, region and account, or create it"
            ) from None
        # Without its cause, whose text may quote a signature.
        raise public_error(error, action) from None


def _checked_summary(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    summary: Mapping[str, Any] = answer.get("StreamDescriptionSummary") or {}
    needed = ("StreamName", "StreamARN", "StreamStatus", "StreamCreationTimestamp")
    if any(summary.get(name) is None for name in needed):
        raise UnparsableAnswerError("an answer that describes no stream")
    return {"OpenShardCount": 1, **summary}


# ------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class ShardsSeen:
    """All shards of a stream.

    Attributes:
        server_time: Unix seconds of the Date header of the first page; None: it had none.
    """

    shards: tuple[Shard, ...]
    server_time: float | None


class StreamReader:
    """Lists and reads the shards of one stream. Thread-safe; never raises.

    Args:
        client: Prepared by `decode.hook_kinesis`.
        stream: As the user named it.
        patience: How a throttled listing waits.
        get_records: Called in place of the client's.
        opens: Aggregated records; else they come as they are.
    """

    def __init__(
        self,
        *,
        client: KinesisClient,
        stream: StreamAddress,
        patience: Patience | None = None,
        get_records: Callable[..., Any] | None = None,
        opens: bool = True,
    ) -> None:
        self._client = client
        self._opens = opens
        self._get_records = get_records or client.get_records
        self._stream = stream
        self._patience = patience or Patience()

    def list_shards(self, *, since: float | None = None) -> ShardsSeen | Failure:
        """List all shards, afresh; a listing whose token expired starts again.

        Args:
            since: Only those that took records at or after this time, unix seconds.
        """
        action = "kinesis:ListShards"
        for listing in range(LISTINGS_MAX):
            try:
                return self._list_once(since)
            except Exception as error:  # noqa: BLE001 - every exception has a meaning
                is_last = listing == LISTINGS_MAX - 1
                if is_last or error_code(error) != "ExpiredNextTokenException":
                    return failure(error, action)
        raise AssertionError("the last listing returns")

    def _list_once(self, since: float | None) -> ShardsSeen:
        shards: dict[str, Shard] = {}
        server_time: float | None = None
        for number, answer in enumerate(self._listing_pages(since)):
            if number == 0:
                server_time = server_time_of(answer)
            for described in answer["Shards"]:
                shard = _shard(described)
                shards[shard.shard_id] = shard
        return ShardsSeen(tuple(shards.values()), server_time)

    def _listing_pages(self, since: float | None) -> Iterator[Mapping[str, Any]]:
        which: dict[str, Any] = dict(self._stream.parameters)
        if since is not None:
            which["ShardFilter"] = {"Type": "FROM_TIMESTAMP", "Timestamp": since}
        for _ in range(PAGES_MAX):
            answer: Mapping[str, Any] = control_calls(self._patience, attempts=LIST_ATTEMPTS_MAX)(
                self._client.list_shards, MaxResults=SHARDS_PER_PAGE, **which
            )
            if answer.get("Shards") is None:
                raise UnparsableAnswerError("an answer without Shards")
            yield answer
            if not answer.get("NextToken"):
                return
            which = {"NextToken": answer["NextToken"]}
        raise UnparsableAnswerError(f"more than {PAGES_MAX} pages of shards")

    def fetch(self, command: Fetch) -> PageFetched | FetchFailed:
        """Read one page, once; get an iterator first if there is none."""
        action = "kinesis:GetShardIterator"
        try:
            iterator = command.iterator or self._iterator(command)
            action = "kinesis:GetRecords"
            # An iterator says which stream it is of; only another account's needs the ARN besides.
            parameters: dict[str, Any] = {"StreamARN": self._stream.arn} if self._stream.arn else {}
            answer = self._get_records(
                ShardIterator=iterator, Limit=command.records_max, **parameters
            )
            return _page_fetched(command, answer, opens=self._opens)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return FetchFailed(command.fetch_id, command.key, failure(error, action))

    def tip(self, shard_id: str) -> str | Failure:
        """An iterator behind the newest record of a shard; some patience if that fails."""
        calls = control_calls(self._patience, attempts=LIST_ATTEMPTS_MAX)
        where: dict[str, Any] = {"ShardId": shard_id, "ShardIteratorType": "LATEST"}
        try:
            return calls(self._shard_iterator, where)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return failure(error, "kinesis:GetShardIterator")

    def _iterator(self, command: Fetch) -> str:
        start = command.start
        where: dict[str, Any] = {
            "ShardId": command.shard_id,
            "ShardIteratorType": start.kind.value,
        }
        if start.kind is StartKind.AT_TIMESTAMP:
            # Older releases of botocore cut it to whole seconds: earlier, so nothing is left out.
            where["Timestamp"] = start.timestamp
        elif start.kind is not StartKind.TRIM_HORIZON:
            where["StartingSequenceNumber"] = start.sequence_number
        return self._shard_iterator(where)

    def _shard_iterator(self, where: Mapping[str, Any]) -> str:
        parameters: dict[str, Any] = {**self._stream.parameters, **where}
        answer: Mapping[str, Any] = self._client.get_shard_iterator(**parameters)
        iterator = answer.get("ShardIterator")
        if not isinstance(iterator, str) or not iterator:
            raise UnparsableAnswerError("an answer without ShardIterator")
        return iterator


def _page_fetched(command: Fetch, answer: Mapping[str, Any], *, opens: bool) -> PageFetched:
    """Turn an answer into an event; one that contradicts itself raises UnparsableAnswerError."""
    decoded = answer.get(DECODED)
    if not isinstance(decoded, DecodedPage):
        raise UnparsableAnswerError("an answer that was not decoded")
    said = decoded.answer
    children = _children(said)
    if said.next_shard_iterator == "" or (said.next_shard_iterator and children):
        raise UnparsableAnswerError("an answer that both ends a shard and goes on")
    span = _checked_span(said) if said.records else None
    opened = (
        deaggregate_page(said.records, hash_range=command.hash_range, strays=command.strays)
        if opens
        else Deaggregated(said.records)
    )
    more = max(0, len(opened.records) - len(said.records))
    return PageFetched(
        fetch_id=command.fetch_id,
        key=command.key,
        # The body is about as large as its records are in memory, which is what the budget is for.
        page=Page(opened.records, decoded.body_bytes + more * USER_RECORD_BYTES)
        if opened.records
        else None,
        unopened=opened.unopened,
        span=span,
        stray_count=opened.stray_count,
        dropped_count=opened.dropped_count,
        first_stray=opened.first_stray,
        next_iterator=said.next_shard_iterator,
        children=children,
        lag=(said.millis_behind_latest or 0.0) / 1000,
        # Base64 grows data by a third, and a key takes less room than the names around it: never
        # below what the service counts, and within a few percent for large records.
        bytes_read=decoded.body_bytes * 3 // 4,
    )


def _checked_span(said: RecordsAnswer) -> tuple[str, str]:
    try:
        first, last = (Position(said.records[index].sequence_number) for index in (0, -1))
    except ValueError:
        raise UnparsableAnswerError("an answer with a sequence number that is none") from None
    if last < first:
        raise UnparsableAnswerError("an answer with records out of order")
    return first.sequence_number, last.sequence_number


def _children(said: RecordsAnswer) -> tuple[Shard, ...]:
    return tuple(
        Shard(
            shard_id=child.shard_id,
            parents=tuple(child.parent_shards),
            hash_range=(
                _hash_key(child.hash_key_range.starting_hash_key),
                _hash_key(child.hash_key_range.ending_hash_key),
            ),
            is_open=True,
        )
        for child in said.child_shards or ()
    )


def _shard(described: Mapping[str, Any]) -> Shard:
    try:
        parents = (described.get("ParentShardId"), described.get("AdjacentParentShardId"))
        hash_keys = described["HashKeyRange"]
        numbers = described["SequenceNumberRange"]
        return Shard(
            shard_id=described["ShardId"],
            parents=tuple(parent for parent in parents if parent),
            hash_range=(
                _hash_key(hash_keys["StartingHashKey"]),
                _hash_key(hash_keys["EndingHashKey"]),
            ),
            is_open=not numbers.get("EndingSequenceNumber"),
            starting_sequence_number=numbers["StartingSequenceNumber"],
        )
    except (KeyError, TypeError, AttributeError):
        raise UnparsableAnswerError("an answer with a shard that is described in part") from None


def _hash_key(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UnparsableAnswerError("an answer with a hash key that is no number")
    return int(text)
