"""Does enhanced fan-out work over HTTP/1.1, with botocore as the client?"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ReadTimeoutError

from kcl_py.local import Engine
from kcl_py.local.engine import EngineSettings
from kcl_py.local.event_stream import chunk, encode_event, encode_message
from kcl_py.local.kinesis import KinesisSettings
from kcl_py.local.kinesis.subscriptions import Event, Subscription

FIRST = "shardId-000000000000"
HASH_KEYS = 2**128
_names = itertools.count()


def settings(**more: Any) -> EngineSettings:
    instant = {"create_seconds": 0, "update_seconds": 0, "delete_seconds": 0, "limits": False}
    return EngineSettings(kinesis=KinesisSettings(**(instant | more)))


class Client:
    """botocore's client with a stream and a consumer of its own."""

    def __init__(self, engine: Engine, read_timeout: float = 20) -> None:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout)
        self.api: Any = engine.session().client("kinesis", config=config)
        self.name = f"s{next(_names)}"
        self.api.create_stream(StreamName=self.name, ShardCount=1)
        summary = self.api.describe_stream_summary(StreamName=self.name)
        self.arn = summary["StreamDescriptionSummary"]["StreamARN"]
        self.consumer = self.register("c")

    def register(self, name: str) -> str:
        answer = self.api.register_stream_consumer(StreamARN=self.arn, ConsumerName=name)
        arn: str = answer["Consumer"]["ConsumerARN"]
        return arn

    def subscribe(self, kind: str = "LATEST", **more: Any) -> Any:
        answer = self.api.subscribe_to_shard(
            ConsumerARN=self.consumer,
            ShardId=FIRST,
            StartingPosition={"Type": kind} | more,
        )
        return answer["EventStream"]

    def put(self, data: bytes) -> str:
        answer = self.api.put_record(StreamName=self.name, Data=data, PartitionKey="k")
        number: str = answer["SequenceNumber"]
        return number

    def split(self) -> None:
        self.api.split_shard(
            StreamName=self.name, ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 2)
        )


def first_event(stream: Any) -> Any:
    """The first event that has records; then the subscription is left."""
    for wrapped in stream:
        event = wrapped["SubscribeToShardEvent"]
        if event["Records"]:
            stream.close()
            return event
    raise AssertionError("the stream ended without a record")


def first_records(stream: Any) -> list[bytes]:
    return [record["Data"] for record in first_event(stream)["Records"]]


def assert_ends_in(stream: Any, code: str) -> None:
    with pytest.raises(EventStreamError, match=code):
        list(stream)
    stream.close()


@pytest.fixture(scope="module")
def lasting() -> Iterator[Engine]:
    """Subscriptions last for long, and can be taken over at once."""
    with Engine.from_settings(settings(takeover_seconds=0.0, heartbeat_seconds=0.05)) as engine:
        yield engine


@pytest.fixture
def client(lasting: Engine) -> Iterator[Client]:
    made = Client(lasting)
    yield made
    made.api.close()


@pytest.fixture
def brief() -> Iterator[Client]:
    """Subscriptions of this client's engine end after a few heartbeats."""
    short = settings(takeover_seconds=0.0, heartbeat_seconds=0.05, subscription_seconds=0.3)
    with Engine.from_settings(short) as engine:
        made = Client(engine)
        yield made
        made.api.close()


def test_records_are_pushed_as_they_are_put(client: Client) -> None:
    stream = client.subscribe()
    number = client.put(b"\x00\xff")

    event = first_event(stream)

    (record,) = event["Records"]
    assert record["Data"] == b"\x00\xff"
    assert record["PartitionKey"] == "k"
    assert record["SequenceNumber"] == event["ContinuationSequenceNumber"] == number
    assert abs(record["ApproximateArrivalTimestamp"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert event["MillisBehindLatest"] == 0
    assert "ChildShards" not in event


def test_the_five_starting_positions(client: Client) -> None:
    numbers = [client.put(data) for data in (b"1", b"2")]
    late = datetime.now(UTC) - timedelta(minutes=5)

    assert first_records(client.subscribe("TRIM_HORIZON")) == [b"1", b"2"]
    at = client.subscribe("AT_SEQUENCE_NUMBER", SequenceNumber=numbers[1])
    assert first_records(at) == [b"2"]
    after = client.subscribe("AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[0])
    assert first_records(after) == [b"2"]
    assert first_records(client.subscribe("AT_TIMESTAMP", Timestamp=late)) == [b"1", b"2"]
    latest = client.subscribe("LATEST")
    client.put(b"3")
    assert first_records(latest) == [b"3"]


def test_a_quiet_subscription_ends_by_itself_and_can_be_renewed(brief: Client) -> None:
    number = brief.put(b"1")
    events = [wrapped["SubscribeToShardEvent"] for wrapped in brief.subscribe()]
    brief.put(b"2")

    assert events
    assert all(event["Records"] == [] for event in events)
    assert {event["ContinuationSequenceNumber"] for event in events} == {number}
    renewed = brief.subscribe("AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
    assert first_records(renewed) == [b"2"]


def test_a_connection_can_be_used_again_after_its_stream(brief: Client) -> None:
    list(brief.subscribe())

    assert brief.api.list_streams()["StreamNames"] == [brief.name]
    list(brief.subscribe())


def test_a_closed_shard_ends_with_its_children(client: Client) -> None:
    stream = client.subscribe()
    client.put(b"last")
    client.split()

    events = [wrapped["SubscribeToShardEvent"] for wrapped in stream]

    assert [r["Data"] for event in events for r in event["Records"]] == [b"last"]
    assert [child["ShardId"] for child in events[-1]["ChildShards"]] == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]
    assert "ContinuationSequenceNumber" not in events[-1]
    assert all("ChildShards" not in event for event in events[:-1])


def test_a_second_subscription_takes_over(client: Client) -> None:
    first = client.subscribe()
    second = client.subscribe()

    assert_ends_in(first, "ResourceInUseException")

    client.put(b"1")
    assert first_records(second) == [b"1"]


def test_a_second_subscription_within_five_seconds_is_refused() -> None:
    with Engine.from_settings(settings()) as engine:
        client = Client(engine)
        stream = client.subscribe()

        with pytest.raises(ClientError) as caught:
            client.subscribe()

        assert caught.value.response["Error"]["Code"] == "ResourceInUseException"
        stream.close()
        client.api.close()


@pytest.mark.parametrize("ends_by", ["consumer", "stream"])
def test_what_is_gone_ends_the_subscription(client: Client, ends_by: str) -> None:
    stream = client.subscribe()
    if ends_by == "consumer":
        client.api.deregister_stream_consumer(ConsumerARN=client.consumer)
    else:
        client.api.delete_stream(StreamName=client.name, EnforceConsumerDeletion=True)

    assert_ends_in(stream, "ResourceNotFoundException")


def test_a_bug_in_the_engine_ends_the_subscription(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    stream = client.subscribe()
    monkeypatch.setattr(Subscription, "take", broken)

    assert_ends_in(stream, "InternalFailureException")
    assert "engine.crashed" in caplog.text


def test_large_records_arrive_whole(client: Client) -> None:
    client.api.update_max_record_size(StreamARN=client.arn, MaxRecordSizeInKiB=10_240)
    data = bytes(range(256)) * 40_000
    for _ in range(2):
        client.put(data)
    stream = client.subscribe("TRIM_HORIZON")

    found: list[bytes] = []
    for wrapped in stream:
        found += [record["Data"] for record in wrapped["SubscribeToShardEvent"]["Records"]]
        if len(found) == 2:
            break
    stream.close()

    assert [zlib.crc32(one) for one in found] == [zlib.crc32(data)] * 2


def test_a_slow_client_gets_everything_and_holds_up_nobody(client: Client) -> None:
    stream = client.subscribe("TRIM_HORIZON")
    for number in range(40):
        client.put(b"%d" % number + b"." * 500_000)
    assert client.api.list_streams()["StreamNames"]

    found: list[bytes] = []
    for wrapped in stream:
        found += [record["Data"] for record in wrapped["SubscribeToShardEvent"]["Records"]]
        if len(found) == 40:
            break
    stream.close()

    assert [data.rstrip(b".") for data in found] == [b"%d" % number for number in range(40)]


def test_silence_longer_than_the_read_timeout_is_an_error_of_urllib3() -> None:
    with Engine.from_settings(settings()) as engine:
        client = Client(engine, read_timeout=0.2)
        stream = client.subscribe()

        with pytest.raises(ReadTimeoutError):
            list(stream)

        stream.close()
        client.api.close()


def test_an_engine_ends_although_somebody_listens() -> None:
    engine = Engine.from_settings(settings())
    with engine:
        client = Client(engine)
        stream = client.subscribe()

    with pytest.raises(RuntimeError):
        _ = engine.endpoint_url
    stream.close()
    client.api.close()


def test_many_shards_over_one_engine(client: Client) -> None:
    client.api.update_shard_count(
        StreamName=client.name, TargetShardCount=2, ScalingType="UNIFORM_SCALING"
    )
    shards = ["shardId-000000000001", "shardId-000000000002"]
    found: dict[str, list[bytes]] = {}

    def listen(shard: str) -> None:
        answer = client.api.subscribe_to_shard(
            ConsumerARN=client.consumer, ShardId=shard, StartingPosition={"Type": "TRIM_HORIZON"}
        )
        found[shard] = first_records(answer["EventStream"])

    threads = [threading.Thread(target=listen, args=(shard,)) for shard in shards]
    for thread in threads:
        thread.start()
    for key in (0, HASH_KEYS - 1):
        client.api.put_record(
            StreamName=client.name,
            Data=str(key).encode(),
            PartitionKey="k",
            ExplicitHashKey=str(key),
        )
    for thread in threads:
        thread.join()

    assert found == {shards[0]: [b"0"], shards[1]: [str(HASH_KEYS - 1).encode()]}


def test_the_headers_of_a_stream(client: Client) -> None:
    host = client.api.meta.endpoint_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    body = {
        "ConsumerARN": client.consumer,
        "ShardId": FIRST,
        "StartingPosition": {"Type": "LATEST"},
    }
    connection.request(
        "POST", "/", json.dumps(body), {"X-Amz-Target": "Kinesis_20131202.SubscribeToShard"}
    )

    answer = connection.getresponse()
    message = _first_message(answer)
    connection.close()

    assert answer.status == 200
    assert answer.getheader("Content-Type") == "application/vnd.amazon.eventstream"
    assert answer.getheader("Transfer-Encoding") == "chunked"
    assert message.headers[":event-type"] == "initial-response"
    assert message.payload == b"{}"


def _first_message(answer: http.client.HTTPResponse) -> Any:
    buffer: Any = EventStreamBuffer()
    while True:
        buffer.add_data(answer.read1(1))
        for message in buffer:
            return message


def test_a_client_that_vanishes_is_forgotten(lasting: Engine, client: Client) -> None:
    host, _, port = client.api.meta.endpoint_url.removeprefix("http://").partition(":")
    body = json.dumps(
        {
            "ConsumerARN": client.consumer,
            "ShardId": FIRST,
            "StartingPosition": {"Type": "LATEST"},
        }
    ).encode()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.SubscribeToShard\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")

    client.put(b"1")
    client.put(b"2")
    assert first_records(client.subscribe("TRIM_HORIZON")) == [b"1", b"2"]


@given(
    st.dictionaries(st.text("abc:-", min_size=1, max_size=9), st.text(max_size=40), max_size=4),
    st.binary(max_size=300),
)
def test_botocore_reads_what_is_framed(headers: dict[str, str], payload: bytes) -> None:
    buffer: Any = EventStreamBuffer()
    buffer.add_data(encode_message(headers, payload) * 2)

    messages = list(buffer)

    assert [message.headers for message in messages] == [headers] * 2
    assert [message.payload for message in messages] == [payload] * 2


def test_an_error_is_framed_as_one() -> None:
    buffer: Any = EventStreamBuffer()
    buffer.add_data(encode_event(Event("KMSThrottlingException", {"message": "m"}, is_error=True)))

    (message,) = buffer

    assert message.headers[":message-type"] == "exception"
    assert message.headers[":exception-type"] == "KMSThrottlingException"
    assert json.loads(message.payload) == {"message": "m"}


def test_an_empty_chunk_ends_a_body() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert chunk(b"") == b"0\r\n\r\n"
