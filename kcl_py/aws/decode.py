"""How does the body of an answer become values? Hooks that run before botocore would parse it.

Stock botocore takes a body that it cannot read for an empty answer, and spends 10 to 20 us on every
record. So GetRecords is decoded here, straight into `Record`, and every other body is at least
checked to be a whole JSON object.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final, TypedDict

import msgspec

from kcl_py.aws.failures import UnparsableAnswerError
from kcl_py.records import Record

STATUS_OK: Final = 200
DECODED: Final = "KclPyDecoded"
"""Where the hook leaves what it decoded in the answer."""


class HashKeyRange(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An inclusive range of hash keys, in decimal."""

    starting_hash_key: str
    ending_hash_key: str


class ChildShard(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A child as GetRecords names it at the end of a closed shard."""

    shard_id: str
    parent_shards: list[str]
    hash_key_range: HashKeyRange


class RecordsAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What GetRecords answers. `records` must be there, or the answer means nothing."""

    records: list[Record]
    next_shard_iterator: str | None = None
    millis_behind_latest: float | None = None
    child_shards: list[ChildShard] | None = None


class DecodedPage(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, and how many bytes it came in."""

    answer: RecordsAnswer
    body_bytes: int


class ItemAnswer(TypedDict, total=False):
    """What UpdateItem answers. Binaries stay base64, which `attributes.ItemReader` takes too."""

    Attributes: dict[str, dict[str, Any] | None] | None
    ConsumedCapacity: dict[str, Any] | None


_records_decoder: Final = msgspec.json.Decoder(RecordsAnswer)
_object_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_item_decoder: Final = msgspec.json.Decoder(ItemAnswer)


def decode_records(body: bytes | bytearray) -> DecodedPage:
    """Decode the body of a GetRecords answer.

    Raises:
        UnparsableAnswerError: Not such an answer; a retry may bring a whole one.
    """
    try:
        return DecodedPage(answer=_records_decoder.decode(body), body_bytes=len(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        size = len(body)
    # Raised outside of the handler: what msgspec says may quote the data.
    raise UnparsableAnswerError(f"an answer of {size} bytes that is no page of records")


def take_page(body: bytes | bytearray, _headers: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """Return a GetRecords answer as a client with our hooks does."""
    return {DECODED: decode_records(body)}


def take_item(body: bytes | bytearray, headers: Mapping[bytes, bytes]) -> ItemAnswer:
    """Return an UpdateItem answer as a client does, after the checks of `_check_body`.

    Raises:
        UnparsableAnswerError: It was cut or garbled.
    """
    checksum = headers.get(b"x-amz-crc32")
    if checksum is not None and b"%d" % zlib.crc32(body) != checksum:
        raise UnparsableAnswerError(f"an answer of {len(body)} bytes with a wrong checksum")
    try:
        return _item_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        size = len(body)
    raise UnparsableAnswerError(f"an answer of {size} bytes that is no JSON object of an item")


def _take_records(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_rest: object
) -> None:
    if response_dict["status_code"] == STATUS_OK:
        customized_response_dict[DECODED] = decode_records(response_dict["body"])
        response_dict["body"] = b"{}"


def _check_body(response_dict: dict[str, Any], **_rest: object) -> None:
    """Refuse a successful answer that was cut or garbled.

    Raises:
        UnparsableAnswerError: The checksum is wrong, or it is no JSON object.
    """
    if response_dict["status_code"] != STATUS_OK:
        return
    body: bytes = response_dict["body"]
    checksum = response_dict["headers"].get("x-amz-crc32")
    if checksum is not None and str(zlib.crc32(body)) != str(checksum):
        raise UnparsableAnswerError(f"an answer of {len(body)} bytes with a wrong checksum")
    try:
        _object_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = UnparsableAnswerError(f"an answer of {len(body)} bytes that is no JSON object")
    else:
        return
    raise problem


def hook_kinesis(client: Any) -> None:  # noqa: ANN401 - clients have no class before they are made
    """Let GetRecords of this client decode into `Record`, and check its other answers."""
    events = client.meta.events
    events.register("before-parse.kinesis.GetRecords", _take_records, unique_id="kcl_py-records")
    for operation in ("GetShardIterator", "ListShards", "DescribeStreamSummary"):
        name = f"before-parse.kinesis.{operation}"
        events.register(name, _check_body, unique_id=f"kcl_py-{operation}")


def hook_dynamodb(client: Any) -> None:  # noqa: ANN401 - as above
    """Check every answer of this client: a cut one must not pass for "nothing there"."""
    client.meta.events.register(
        "before-parse.dynamodb.*", _check_body, unique_id="kcl_py-whole-answers"
    )
