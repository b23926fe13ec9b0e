"""How does a producer reach its stream? Clients, PutRecords, the limit for one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3.session
import msgspec
from botocore.config import Config

from kcl_py.aws.decode import STATUS_OK, hook_kinesis
from kcl_py.aws.direct.calls import DirectCall
from kcl_py.aws.failures import (
    UnparsableAnswerError,
    error_code,
    failure,
    kind_of,
    lacks_credentials,
    whole_message,
)
from kcl_py.aws.making import client_config, make_client, need_credentials, told_plainly
from kcl_py.aws.names import StreamAddress
from kcl_py.aws.retry import Patience, control_calls
from kcl_py.aws.stream import StreamReader
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.puts import Outgoing, PutRefused, PutSaid, blames_entries
from kcl_py.core.shards.graph import Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 10.0
PUT_SECONDS_MAX: Final = 30.0
"""For a whole request: whoever waits for a record waits for its time and for this, not for ever."""

CONTROL_READ_SECONDS: Final = 10.0
CONTROL_CONNECTIONS: Final = 2
CONTROL_ATTEMPTS_MAX: Final = 2
"""The core tries again by itself; a listing must not hold a sender for long."""

ACTION: Final = "kinesis:PutRecords"
KIB: Final = 1024
DECODED: Final = "KclPyPut"
RECORD_KIB: Final = "KclPyMaxRecordSizeInKiB"
_KEY_ARGUMENTS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_LASTING: Final = frozenset({FailureKind.DENIED, FailureKind.GONE, FailureKind.INVALID})


class EntryAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", gc=False):
    """What became of one entry."""

    shard_id: str | None = None
    sequence_number: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class PutAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What PutRecords answers. `records` must be there, or the answer means nothing."""

    records: list[EntryAnswer]


class _Limits(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    max_record_size_in_ki_b: int | None = msgspec.field(default=None, name="MaxRecordSizeInKiB")


class _Summary(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    stream_description_summary: _Limits


_put_decoder: Final = msgspec.json.Decoder(PutAnswer)
_summary_decoder: Final = msgspec.json.Decoder(_Summary)


def _decode_put(body: bytes | bytearray) -> PutAnswer:
    try:
        return _put_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        size = len(body)
    raise UnparsableAnswerError(f"an answer of {size} bytes that is none to PutRecords")


def take_put(body: bytes | bytearray, _headers: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """Return a PutRecords answer as a client with our hook does."""
    return {DECODED: _decode_put(body)}


def _take_put(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_rest: object
) -> None:
    if response_dict["status_code"] == STATUS_OK:
        customized_response_dict[DECODED] = _decode_put(response_dict["body"])
        response_dict["body"] = b"{}"


def _take_limit(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_rest: object
) -> None:
    """Read the limit of a stream, which older releases of botocore do not know."""
    if response_dict["status_code"] == STATUS_OK:
        said = _summary_decoder.decode(response_dict["body"]).stream_description_summary
        customized_response_dict[RECORD_KIB] = said.max_record_size_in_ki_b


@dataclass(frozen=True, slots=True)
class RecordLimit:
    """How large a record may be.

    Attributes:
        size_bytes: Data and key; None: the service does not tell.
        failure: Why nobody knows.
    """

    size_bytes: int | None
    failure: Failure | None = None


class PutPort:
    """One stream, for a producer. Thread-safe; calls never raise.

    Args:
        puts: For PutRecords only.
        control: For all else.
        put_records: Called in place of the client's.
    """

    def __init__(
        self,
        *,
        puts: KinesisClient,
        control: KinesisClient,
        stream: StreamAddress,
        put_records: Callable[..., Any] | None = None,
    ) -> None:
        _hook(puts, "PutRecords", _take_put)
        hook_kinesis(control)
        _hook(control, "DescribeStreamSummary", _take_limit)
        self._clients = (puts, control)
        self._put_records: Callable[..., Any] = put_records or puts.put_records
        self._stream = stream
        self._named = stream.parameters
        self._reader = StreamReader(client=control, stream=stream)

    def put(self, units: Sequence[Outgoing]) -> PutSaid:
        """Send one PutRecords, once."""
        try:
            entries = [
                {"Data": unit.data, "PartitionKey": unit.key}
                if unit.hash_key is None
                else _entry(unit, unit.hash_key)
                for unit in units
            ]
            answer = self._put_records(Records=entries, **self._named)
            decoded = answer.get(DECODED)
            if not isinstance(decoded, PutAnswer):
                raise UnparsableAnswerError("an answer that was not decoded")  # noqa: TRY301
            return decoded.records
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return refused(error)

    def list_shards(self) -> Sequence[Shard] | Failure:
        """List the shards of the stream."""
        seen = self._reader.list_shards()
        return seen if isinstance(seen, Failure) else seen.shards

    def record_limit(self, patience: Patience) -> RecordLimit:
        """Ask how large a record may be."""
        try:
            answer: Mapping[str, Any] = control_calls(patience, attempts=CONTROL_ATTEMPTS_MAX)(
                self._clients[1].describe_stream_summary, **self._named
            )
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return RecordLimit(None, failure(error, "kinesis:DescribeStreamSummary"))
        told = answer.get(RECORD_KIB)
        return RecordLimit(told * KIB if isinstance(told, int) else None)

    def close(self) -> None:
        """Close all connections."""
        if isinstance(self._put_records, DirectCall):
            self._put_records.close()
        for client in self._clients:
            client.close()


def _entry(unit: Outgoing, hash_key: str) -> dict[str, Any]:
    return {"Data": unit.data, "PartitionKey": unit.key, "ExplicitHashKey": hash_key}


def refused(error: Exception) -> PutRefused:
    """Say what an exception means for the records of a request."""
    said = failure(error, ACTION)
    kind = kind_of(error)
    return PutRefused(
        kind=kind,
        # Credentials that have expired are renewed by whoever gives them out.
        passing=kind not in _LASTING or lacks_credentials(error),
        code=error_code(error) or type(error).__name__,
        message=said.message,
        blames_entries=kind is FailureKind.INVALID and blames_entries(whole_message(error)),
    )


def _hook(client: Any, operation: str, handler: Callable[..., None]) -> None:  # noqa: ANN401
    client.meta.events.register(
        f"before-parse.kinesis.{operation}", handler, unique_id=f"kcl_py-put-{operation}"
    )


def open_port(
    stream: StreamAddress,
    *,
    region: str | None,
    endpoint_url: str | None,
    session: boto3.session.Session | None,
    connections: int,
    client_arguments: Mapping[str, Any] | None = None,
) -> PutPort:
    """Make the clients of a producer; asks nobody.

    Args:
        stream: Its ARN says the region.
        region: Else this one, else the session's.
        session: None: the default chain of boto3.
        connections: How many requests are under way at most.
        client_arguments: More of what `boto3.client` takes; they go before the others.

    Raises:
        ConfigError: No region, a bad profile or endpoint.
        NoCredentials: There are none.
    """
    with told_plainly():
        given = dict(client_arguments or {})
        keys = {name: given.pop(name) for name in _KEY_ARGUMENTS if name in given}
        asked = session or boto3.session.Session(**keys)
        need_credentials(asked)
        where = {
            "region": given.pop("region_name", stream.region or region or asked.region_name),
            "endpoint_url": given.pop("endpoint_url", endpoint_url),
        }
        theirs = given.pop("config", None) or Config()

        def make(config: Config) -> Any:  # noqa: ANN401 - a client
            return make_client(asked, "kinesis", config=theirs.merge(config), **where, **given)

        puts = make(
            client_config(CONNECT_SECONDS, READ_SECONDS, connections=connections, validate=False)
        )
        control = make(
            client_config(CONNECT_SECONDS, CONTROL_READ_SECONDS, connections=CONTROL_CONNECTIONS)
        )
        direct = DirectCall(
            puts,
            "PutRecords",
            "put_records",
            session=asked,
            decode=take_put,
            total_seconds=PUT_SECONDS_MAX,
        )
        return PutPort(puts=puts, control=control, stream=stream, put_records=direct)
