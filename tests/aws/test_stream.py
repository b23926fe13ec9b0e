"""A page is a page only if the whole answer says so."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.aggregation import MAGIC, Aggregate, WhyUnopened
from kcl_py.aws.decode import decode_records
from kcl_py.aws.failures import UnparsableAnswerError
from kcl_py.aws.names import StreamAddress, parse_stream
from kcl_py.aws.retry import Patience
from kcl_py.aws.stream import ShardsSeen, StreamReader, describe_stream
from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.events import Failure, FailureKind, FetchFailed, PageFetched
from kcl_py.core.shards.graph import Shard
from kcl_py.errors import (
    AccessDenied,
    ConfigError,
    KclError,
    StreamNotFound,
    Throttled,
    Unavailable,
)
from kcl_py.local.kinesis import Kinesis
from kcl_py.records import Record
from tests.aws.wire import DATE_SECONDS, Canned, clients, engine_answers, error

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
RANGE = {"StartingHashKey": "0", "EndingHashKey": "9"}


def wire_record(number: int, data: bytes = b"x") -> dict[str, Any]:
    return {
        "SequenceNumber": str(number),
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": f"key-{number}",
        "ApproximateArrivalTimestamp": 1.5,
    }


PAGE = {
    "Records": [wire_record(5), wire_record(6, b"\x00\xff")],
    "NextShardIterator": "it-2",
    "MillisBehindLatest": 2500,
}
CHILD = {"ShardId": "s-1", "ParentShards": ["s-0"], "HashKeyRange": RANGE}
END: dict[str, Any] = {"Records": [], "MillisBehindLatest": 0, "ChildShards": [CHILD]}
NO_RANGE = {"StartingHashKey": "a", "EndingHashKey": "b"}


def patience(*, stop_after: int = 10_000) -> Patience:
    slept: list[float] = []
    return Patience(
        sleep=slept.append, is_stopping=lambda: len(slept) >= stop_after, rng=random.Random(0)
    )


def scripted(
    *answers: Canned | Exception, stream: str = "orders"
) -> tuple[StreamReader, list[tuple[str, dict[str, Any]]]]:
    """A reader whose calls are answered one after another, and what was asked."""
    asked: list[tuple[str, dict[str, Any]]] = []
    left: Iterator[Canned | Exception] = iter(answers)

    def answer(operation: str, request: dict[str, Any]) -> Canned | Exception:
        asked.append((operation, request))
        return next(left)

    made = clients(answer, stream=stream)
    reader = StreamReader(
        client=made.stream_reads, stream=parse_stream(stream), patience=patience()
    )
    return reader, asked


def fetch(iterator: str | None = "it-1", start: Start | None = None) -> Fetch:
    return Fetch(
        fetch_id=3,
        key="lease",
        shard_id="s-0",
        iterator=iterator,
        start=start or Start(kind=StartKind.TRIM_HORIZON),
        records_max=100,
    )


# ------------------------------------------------------------------------------------------ reading


def test_a_page_is_decoded_into_records() -> None:
    reader, asked = scripted(Canned(PAGE))

    page = reader.fetch(fetch())

    assert isinstance(page, PageFetched)
    assert page.page is not None
    assert list(page.page.records) == [
        Record(sequence_number="5", data=b"x", partition_key="key-5", arrival_timestamp=1.5),
        Record(sequence_number="6", data=b"\x00\xff", partition_key="key-6", arrival_timestamp=1.5),
    ]
    assert (page.fetch_id, page.key, page.next_iterator) == (3, "lease", "it-2")
    assert (page.lag, page.children) == (2.5, ())
    assert asked == [("GetRecords", {"ShardIterator": "it-1", "Limit": 100})]


def test_a_page_has_the_user_records_of_what_is_aggregated() -> None:
    packed = Aggregate(size_bytes_max=1_000)
    assert packed.add(b"one", "ann", "7")
    assert packed.add(b"two", "bob")
    records = [wire_record(5), wire_record(6, packed.encode()), wire_record(7)]
    reader, _ = scripted(Canned({**PAGE, "Records": records}))

    page = reader.fetch(fetch())

    assert isinstance(page, PageFetched)
    assert page.page is not None
    found = [(str(r.position), r.data, r.partition_key) for r in page.page.records]
    assert found == [
        ("5/0", b"x", "key-5"),
        ("6/0", b"one", "ann"),
        ("6/1", b"two", "bob"),
        ("7/0", b"x", "key-7"),
    ]
    assert page.page.records[1].explicit_hash_key == "7"
    assert page.unopened == ()


def test_a_page_keeps_what_only_looks_aggregated_and_says_so() -> None:
    records = [wire_record(5, MAGIC + b"a poem"), wire_record(6)]
    reader, _ = scripted(Canned({**PAGE, "Records": records}))

    page = reader.fetch(fetch())

    assert isinstance(page, PageFetched)
    assert page.page is not None
    assert [r.data for r in page.page.records] == [MAGIC + b"a poem", b"x"]
    assert [(u.sequence_number, u.why) for u in page.unopened] == [("5", WhyUnopened.TOO_SHORT)]


def test_user_records_count_for_more_memory_than_their_bytes() -> None:
    """A hundred thousand objects of one byte are not a hundred kilobytes."""
    packed = Aggregate(size_bytes_max=1_000_000)
    for _ in range(1_000):
        assert packed.add(b"x", "key")
    reader, _ = scripted(Canned({**PAGE, "Records": [wire_record(5, packed.encode())]}))

    page = reader.fetch(fetch())

    assert isinstance(page, PageFetched)
    assert page.page is not None
    assert page.page.count == 1_000
    assert page.page.bytes > 100_000 > page.bytes_read


def test_no_records_are_no_page() -> None:
    reader, _ = scripted(Canned({"Records": [], "NextShardIterator": "it-2"}))

    page = reader.fetch(fetch())

    assert isinstance(page, PageFetched)
    assert (page.page, page.next_iterator, page.lag) == (None, "it-2", 0.0)


@pytest.mark.parametrize("next_iterator", [{}, {"NextShardIterator": None}])
def test_the_end_of_a_shard_names_its_children(next_iterator: dict[str, None]) -> None:
    reader, _ = scripted(Canned({**END, **next_iterator}))

    page = reader.fetch(fetch())

    assert isinstance(page, PageFetched)
    assert page.next_iterator is None
    assert page.children == (
        Shard(shard_id="s-1", parents=("s-0",), hash_range=(0, 9), is_open=True),
    )


@pytest.mark.parametrize(
    "answer",
    [
        Canned({}),
        Canned(b""),
        Canned(b"null"),
        Canned({"MillisBehindLatest": 0}),
        Canned({"Records": None}),
        Canned({**END, "NextShardIterator": "it-2"}),
        Canned({"Records": [], "NextShardIterator": ""}),
        Canned({**PAGE, "Records": [{"SequenceNumber": "5", "Data": "%"}]}),
        Canned({**PAGE, "Records": [{"Data": "eA=="}]}),
        Canned({**PAGE, "Records": [wire_record(5) | {"SequenceNumber": "five"}]}),
        Canned({**PAGE, "Records": [wire_record(6), wire_record(5)]}),
        Canned({**END, "ChildShards": [{"ShardId": "s-1"}]}),
        Canned({**END, "ChildShards": [{**CHILD, "HashKeyRange": NO_RANGE}]}),
    ],
)
def test_an_answer_that_cannot_be_read_is_never_the_end_of_a_shard(answer: Canned) -> None:
    reader, asked = scripted(answer)

    failed = reader.fetch(fetch())

    assert isinstance(failed, FetchFailed)
    assert (failed.failure.kind, failed.failure.action) == (
        FailureKind.UNKNOWN,
        "kinesis:GetRecords",
    )
    assert len(asked) == 1


@given(st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_page_cut_anywhere_is_no_page(cut: int) -> None:
    body = json.dumps(PAGE).encode()

    with pytest.raises(UnparsableAnswerError):
        decode_records(body[: cut % len(body)])


def test_what_cannot_be_decoded_is_not_quoted() -> None:
    body = json.dumps({"Records": [{"SequenceNumber": "1", "Data": "secret%"}]}).encode()

    with pytest.raises(UnparsableAnswerError) as raised:
        decode_records(body)

    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("ExpiredIteratorException"), FailureKind.EXPIRED),
        (error("ProvisionedThroughputExceededException"), FailureKind.THROTTLED),
        (error("KMSAccessDeniedException"), FailureKind.DENIED),
        (error("ResourceNotFoundException"), FailureKind.GONE),
        (error("InvalidArgumentException"), FailureKind.INVALID),
        (Canned(b"<html>", 503), FailureKind.UNKNOWN),
        (ReadTimeoutError(endpoint_url="https://k"), FailureKind.UNKNOWN),
    ],
)
def test_each_failed_read_is_one_request(answer: Canned | Exception, kind: FailureKind) -> None:
    reader, asked = scripted(answer)

    failed = reader.fetch(fetch())

    assert isinstance(failed, FetchFailed)
    assert (failed.fetch_id, failed.key, failed.failure.kind) == (3, "lease", kind)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (Start(kind=StartKind.TRIM_HORIZON), {"ShardIteratorType": "TRIM_HORIZON"}),
        (
            Start(kind=StartKind.AFTER, sequence_number="5"),
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "5"},
        ),
        (
            Start(kind=StartKind.AT, sequence_number="5"),
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "5"},
        ),
        (
            Start(kind=StartKind.AT_TIMESTAMP, timestamp=1_700_000_000.9),
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_000.9},
        ),
    ],
)
def test_a_read_without_an_iterator_gets_one_first(start: Start, expected: dict[str, Any]) -> None:
    reader, asked = scripted(Canned({"ShardIterator": "it-1"}), Canned(PAGE))

    page = reader.fetch(fetch(None, start))

    assert isinstance(page, PageFetched)
    assert asked[0] == (
        "GetShardIterator",
        {"StreamName": "orders", "ShardId": "s-0", **expected},
    )
    assert asked[1][1]["ShardIterator"] == "it-1"


@pytest.mark.parametrize("answer", [error("ResourceNotFoundException"), Canned({}), Canned(b"{")])
def test_failing_to_get_an_iterator_is_the_reads_own_failure(answer: Canned) -> None:
    reader, asked = scripted(answer)

    failed = reader.fetch(fetch(None))

    assert isinstance(failed, FetchFailed)
    assert failed.failure.action == "kinesis:GetShardIterator"
    assert len(asked) == 1


def test_a_stream_named_by_its_arn_is_read_by_its_arn() -> None:
    reader, asked = scripted(Canned({"ShardIterator": "it-1"}), Canned(PAGE), stream=ARN)

    reader.fetch(fetch(None))

    assert [request["StreamARN"] for _, request in asked] == [ARN, ARN]


# ------------------------------------------------------------------------------------------ listing


def described(shard_id: str, **more: object) -> dict[str, Any]:
    return {
        "ShardId": shard_id,
        "HashKeyRange": RANGE,
        "SequenceNumberRange": {"StartingSequenceNumber": "7"},
        **more,
    }


def test_a_listing_leaves_out_what_was_closed_before_a_time() -> None:
    reader, asked = scripted(Canned({"Shards": [described("s-0")]}))

    reader.list_shards(since=1_700_000_000.5)

    assert asked[0][1]["ShardFilter"]["Type"] == "FROM_TIMESTAMP"
    assert float(asked[0][1]["ShardFilter"]["Timestamp"]) <= 1_700_000_000.5


def test_a_listing_brings_all_pages_and_the_time_of_the_service() -> None:
    closed = {"StartingSequenceNumber": "7", "EndingSequenceNumber": "8"}
    reader, asked = scripted(
        Canned({"Shards": [described("s-0", SequenceNumberRange=closed)], "NextToken": "more"}),
        Canned({"Shards": [described("s-1", ParentShardId="s-0", AdjacentParentShardId="s-9")]}),
    )

    seen = reader.list_shards()

    assert seen == ShardsSeen(
        (
            Shard(
                shard_id="s-0",
                parents=(),
                hash_range=(0, 9),
                is_open=False,
                starting_sequence_number="7",
            ),
            Shard(
                shard_id="s-1",
                parents=("s-0", "s-9"),
                hash_range=(0, 9),
                is_open=True,
                starting_sequence_number="7",
            ),
        ),
        DATE_SECONDS,
    )
    assert asked[0][1] == {"StreamName": "orders", "MaxResults": 1000}
    assert asked[1][1] == {"NextToken": "more", "MaxResults": 1000}


def test_an_expired_token_starts_the_listing_again() -> None:
    reader, asked = scripted(
        Canned({"Shards": [described("s-0")], "NextToken": "old"}),
        error("ExpiredNextTokenException"),
        Canned({"Shards": [described("s-1")]}),
    )

    seen = reader.list_shards()

    assert isinstance(seen, ShardsSeen)
    assert [shard.shard_id for shard in seen.shards] == ["s-1"]
    assert "NextToken" not in asked[2][1]


def test_a_throttled_listing_is_tried_again_and_not_for_ever() -> None:
    limit = error("LimitExceededException")
    reader, asked = scripted(limit, limit, Canned({"Shards": [described("s-0")]}))
    hopeless, asked_in_vain = scripted(*[limit] * 20)

    assert isinstance(reader.list_shards(), ShardsSeen)
    assert len(asked) == 3
    failed = hopeless.list_shards()
    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.THROTTLED
    assert len(asked_in_vain) == 4


@pytest.mark.parametrize(
    "body",
    [{}, {"Shards": [{"ShardId": "s-0"}]}, {"Shards": [described("s-0", HashKeyRange={})]}],
)
def test_a_listing_in_part_is_a_failure_and_no_shards(body: dict[str, Any]) -> None:
    reader, _ = scripted(*[Canned(body)] * 4)

    failed = reader.list_shards()

    assert isinstance(failed, Failure)
    assert (failed.kind, failed.action) == (FailureKind.UNKNOWN, "kinesis:ListShards")


def test_a_denied_listing_is_asked_once() -> None:
    reader, asked = scripted(error("AccessDeniedException"))

    failed = reader.list_shards()

    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.DENIED
    assert len(asked) == 1


# --------------------------------------------------------------------------------------- describing


def summary(status: str = "ACTIVE", shards: int = 1) -> Canned:
    return Canned(
        {
            "StreamDescriptionSummary": {
                "StreamName": "orders",
                "StreamARN": ARN,
                "StreamStatus": status,
                "StreamCreationTimestamp": 1_700_000_000.5,
                "OpenShardCount": shards,
            }
        }
    )


def describe(*answers: Canned | Exception, waits: Patience | None = None) -> tuple[Any, list[str]]:
    left = iter(answers)
    made = clients(lambda _operation, _request: next(left))
    progress: list[str] = []
    facts = describe_stream(
        made.stream_control,
        StreamAddress("orders"),
        patience=waits or patience(),
        on_progress=progress.append,
    )
    return facts, progress


def test_a_stream_tells_its_arn_and_when_it_was_created() -> None:
    facts, progress = describe(summary())

    assert (facts.name, facts.arn, facts.created_at) == ("orders", ARN, 1_700_000_000.5)
    assert progress == []


def test_a_stream_that_is_being_created_is_waited_for_aloud() -> None:
    facts, progress = describe(
        summary("CREATING", 0), summary("UPDATING", 0), error("LimitExceededException"), summary()
    )

    assert facts.arn == ARN
    assert [line.split()[4] for line in progress] == ["CREATING", "UPDATING"]


def test_a_stream_that_is_being_changed_is_ready() -> None:
    facts, _ = describe(summary("UPDATING", 4))

    assert facts.arn == ARN


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        ([error("ResourceNotFoundException")], StreamNotFound),
        ([summary("DELETING")], StreamNotFound),
        ([error("AccessDeniedException")], AccessDenied),
        ([error("LimitExceededException")] * 6, Throttled),
        ([Canned({})] * 6, Unavailable),
        ([summary("CREATING", 0)] * 400, Unavailable),
    ],
)
def test_what_is_wrong_with_a_stream_is_said(answers: list[Canned], raised: type[KclError]) -> None:
    with pytest.raises(raised) as caught:
        describe(*answers)

    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_stop_ends_the_wait_for_a_stream() -> None:
    with pytest.raises(Unavailable, match="stopped while waiting"):
        describe(*[summary("CREATING", 0)] * 9, waits=patience(stop_after=2))


@pytest.mark.parametrize("text", ["", "a b", "arn:aws:sqs:eu-west-1:1:x", "x" * 129, "a/b"])
def test_what_names_no_stream_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_stream(text)


def test_an_arn_says_name_and_region() -> None:
    assert parse_stream(ARN) == StreamAddress("orders", ARN, "eu-west-1")
    assert parse_stream(ARN.replace("arn:aws:", "arn:aws-cn:")).region == "eu-west-1"


# ---------------------------------------------------------------------------------- with the engine


def test_the_embedded_engine_is_read_to_the_end_of_a_shard() -> None:
    now = [1_700_000_000.0]
    engine = Kinesis(lambda: now[0], random.Random(1))
    engine.call("CreateStream", {"StreamName": "orders", "ShardCount": 1})
    now[0] += 60
    for number in range(5):
        request = {"StreamName": "orders", "Data": bytes([number]), "PartitionKey": "k"}
        engine.call("PutRecord", request)
        now[0] += 1
    made = clients(engine_answers(engine))
    facts = describe_stream(
        made.stream_control,
        StreamAddress("orders"),
        patience=patience(),
        on_progress=lambda _line: None,
    )
    reader = StreamReader(client=made.stream_reads, stream=StreamAddress("orders"))
    listed = reader.list_shards()
    assert isinstance(listed, ShardsSeen)
    shard_id = listed.shards[0].shard_id
    engine.call(
        "SplitShard",
        {"StreamName": "orders", "ShardToSplit": shard_id, "NewStartingHashKey": str(2**127)},
    )
    now[0] += 60

    data: list[bytes] = []
    iterator: str | None = None
    page: PageFetched | FetchFailed | None = None
    for _ in range(10):
        page = reader.fetch(
            Fetch(
                fetch_id=1,
                key=shard_id,
                shard_id=shard_id,
                iterator=iterator,
                start=Start(kind=StartKind.TRIM_HORIZON),
                records_max=2,
            )
        )
        assert isinstance(page, PageFetched)
        data += [record.data for record in page.page.records] if page.page else []
        now[0] += 1
        iterator = page.next_iterator
        if iterator is None:
            break

    assert facts.created_at > 0
    assert data == [bytes([number]) for number in range(5)]
    assert isinstance(page, PageFetched)
    assert {child.parents for child in page.children} == {(shard_id,)}
    assert len(page.children) == 2
