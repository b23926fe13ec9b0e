"""Do sinks of dead letters and `redrive` work with SQS and S3 as somebody else has built them?

moto stands in for both. What they are asked beyond this is checked against botocore's models in
`tests/dead_letters`.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from kcl_py import DeadLetter, Producer, ProducerConfig
from kcl_py.dead_letters import S3DeadLetters, SqsDeadLetters
from kcl_py.dead_letters.redrive import Outcome, redrive
from kcl_py.dead_letters.sqs import LARGE_BYTES
from kcl_py.dead_letters.stores import Store, open_store
from kcl_py.errors import ProducerError, SetupError
from tests.dead_letters.letters import letter

ACCOUNT = "123456789012"
"""Whose queues are at moto. Source: its documentation."""

SEVERAL = 23
"""More letters than two answers of ReceiveMessage hold."""


@dataclass(frozen=True)
class Services:
    """SQS and S3, and a session that reaches both."""

    session: boto3.session.Session
    sqs: Any
    s3: Any
    name: str

    def queue(self, *, suffix: str = "", **attributes: Any) -> str:
        """Make a queue; its URL."""
        name = f"{self.name}{suffix}"
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def bodies(self, url: str) -> list[dict[str, Any]]:
        """Messages of a queue, which stay visible."""
        found = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        return [json.loads(message["Body"]) for message in found.get("Messages", ())]

    def keys(self) -> list[str]:
        """Names of the objects of the bucket."""
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.name).get("Contents", ())]

    def open(self, source: str) -> Store:
        """What is kept there."""
        return open_store(source, self.session)


@pytest.fixture
def services(moto_url: str, new_name: str, monkeypatch: pytest.MonkeyPatch) -> Services:
    # A bucket has no address of its own, as a queue has: its client is led by this.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_url)
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    made = Services(
        session,
        session.client("sqs", endpoint_url=moto_url),
        session.client("s3", endpoint_url=moto_url),
        new_name,
    )
    made.s3.create_bucket(Bucket=new_name)
    return made


@pytest.fixture
def stream(embedded_url: str, new_name: str) -> Iterator[tuple[str, Any]]:
    """A stream of one shard to put letters back into."""
    kinesis: Any = boto3.client(
        "kinesis",
        endpoint_url=embedded_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    kinesis.create_stream(StreamName=new_name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=new_name, WaiterConfig={"Delay": 0.05})
    yield new_name, kinesis
    kinesis.delete_stream(StreamName=new_name)


def letters_in(store: Store) -> list[DeadLetter]:
    """Whole letters, looked at and left there."""
    try:
        found = list(store.read())
    finally:
        store.close()
    assert [stored.problem for stored in found if stored.letter is None] == []
    return [stored.letter for stored in found if stored.letter is not None]


def by_number(letters: list[DeadLetter]) -> list[DeadLetter]:
    return sorted(letters, key=lambda one: int(one.record.sequence_number))


def put_back(store: Store, stream: str, url: str) -> Outcome:
    """Redrive into a stream, as the command does."""
    outcome = Outcome()
    config = ProducerConfig(order="per_key", region="us-east-1", endpoint_url=url)
    session = boto3.session.Session("test", "test")
    with Producer(stream, config=config, session=session) as producer:
        store.claim()
        try:
            redrive(
                store,
                lambda one: producer.put(one.record.data, key=one.record.partition_key),
                wanted=lambda stored: True,
                outcome=outcome,
                failures=(ProducerError, TimeoutError),
            )
        finally:
            store.close()
    return outcome


def stored_in(stream: str, kinesis: Any) -> list[tuple[str, bytes]]:
    """Key and data of each record, in order."""
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=iterator)["Records"]
    return [(record["PartitionKey"], record["Data"]) for record in records]


# --------------------------------------------------------------------------------------- queues


def test_letters_of_a_queue_can_be_looked_at_again_and_again(services: Services) -> None:
    url = services.queue()
    written = [letter(number) for number in range(SEVERAL)]
    SqsDeadLetters(url, session=services.session).write(written)

    for _ in range(2):
        assert by_number(letters_in(services.open(url))) == written


def test_a_large_letter_is_in_the_bucket_and_its_message_says_where(services: Services) -> None:
    url = services.queue()
    large = letter(1, data=os.urandom(700_000))
    small = letter(2, data=b"x" * 1_000)
    place = f"s3://{services.name}/large"

    SqsDeadLetters(url, large_to_s3=place, session=services.session).write([large, small])

    pointers = [body for body in services.bodies(url) if "data_in" in body]
    [key] = services.keys()
    assert [pointer["data_in"] for pointer in pointers] == [f"s3://{services.name}/{key}"]
    assert "data" not in pointers[0]
    assert len(json.dumps(pointers[0])) < LARGE_BYTES
    assert by_number(letters_in(services.open(url))) == [large, small]


def test_a_redrive_empties_queue_and_bucket(
    services: Services, stream: tuple[str, Any], embedded_url: str
) -> None:
    url = services.queue()
    large = letter(1, data=os.urandom(500_000))
    written = [large, *(letter(number) for number in range(2, SEVERAL))]
    place = f"s3://{services.name}/large"
    SqsDeadLetters(url, large_to_s3=place, session=services.session).write(written)

    outcome = put_back(services.open(url), stream[0], embedded_url)

    assert (outcome.delivered, outcome.failed, outcome.unreadable) == (len(written), {}, {})
    expected = [(one.record.partition_key, one.record.data) for one in written]
    assert sorted(stored_in(*stream)) == sorted(expected)
    assert letters_in(services.open(url)) == []
    assert services.keys() == []


def test_what_is_not_delivered_is_visible_again(services: Services) -> None:
    url = services.queue()
    SqsDeadLetters(url, session=services.session).write([letter(1), letter(2)])

    class LostError(Exception):
        pass

    def refuse(one: DeadLetter) -> Any:
        raise LostError(one.record.sequence_number)

    store, outcome = services.open(url), Outcome()
    redrive(store, refuse, wanted=lambda _: True, outcome=outcome, failures=(LostError,))
    store.close()

    assert len(outcome.failed) == 2
    assert by_number(letters_in(services.open(url))) == [letter(1), letter(2)]


def test_two_redrives_of_a_queue_share_its_messages(services: Services) -> None:
    url = services.queue()
    written = [letter(number) for number in range(SEVERAL)]
    SqsDeadLetters(url, session=services.session).write(written)
    one, other = services.open(url), services.open(url)

    # In turns, each message taken out only at the end: until then only hiding keeps them apart.
    found: dict[int, list[Any]] = {0: [], 1: []}
    for first, second in itertools.zip_longest(one.read(), other.read()):
        found[0] += [] if first is None else [first]
        found[1] += [] if second is None else [second]
    for store, mine in ((one, found[0]), (other, found[1])):
        for stored in mine:
            store.take_out(stored)
        store.close()

    assert found[0]
    assert found[1]
    numbers = [int(stored.letter.record.sequence_number) for stored in found[0] + found[1]]
    assert sorted(numbers) == list(range(SEVERAL)), "each letter comes to one of them"
    assert letters_in(services.open(url)) == []


def test_a_fifo_queue_keeps_each_shard_in_order_and_takes_a_letter_once(
    services: Services, stream: tuple[str, Any], embedded_url: str
) -> None:
    url = services.queue(suffix=".fifo", FifoQueue="true")
    sink = SqsDeadLetters(url, session=services.session)
    shards = ("shardId-000000000000", "shardId-000000000001")
    written = [letter(number, shard_id=shards[number % 2]) for number in range(2 * SEVERAL)]

    sink.write(written)
    sink.write(written[:3])  # a new owner, who cannot know

    outcome = put_back(services.open(url), stream[0], embedded_url)
    assert (outcome.delivered, outcome.failed) == (len(written), {})
    numbers = [int(data) for _, data in stored_in(*stream)]
    assert sorted(numbers) == list(range(2 * SEVERAL))
    for remainder in (0, 1):
        ours = [number for number in numbers if number % 2 == remainder]
        assert ours == sorted(ours)
    assert letters_in(services.open(url)) == []


def test_a_queue_that_is_not_there_is_named(services: Services, moto_url: str) -> None:
    url = f"{moto_url}/{ACCOUNT}/{services.name}-nowhere"

    with pytest.raises(SetupError, match="no such queue"):
        SqsDeadLetters(url, session=services.session).write([letter(1)])
    with pytest.raises(SetupError, match="no such queue"):
        letters_in(services.open(url))


# -------------------------------------------------------------------------------------- buckets


def test_letters_of_a_bucket_go_round(
    services: Services, stream: tuple[str, Any], embedded_url: str
) -> None:
    place = f"s3://{services.name}/letters"
    large = letter(1, data=os.urandom(1_500_000), sub=4)
    written = [letter(2), letter(3, hash_key="7"), letter(4, key="a/b ü")]
    sink = S3DeadLetters(place, session=services.session)

    sink.write([*written, large])
    sink.write(written)  # a new owner, who cannot know

    assert len(services.keys()) == 4
    assert by_number(letters_in(services.open(place))) == [large, *written]
    store = services.open(f"{place}/app/orders")  # of one stream
    services.s3.delete_object(Bucket=services.name, Key=services.keys()[0])  # the large one
    outcome = put_back(store, stream[0], embedded_url)
    assert (outcome.delivered, outcome.failed) == (3, {})
    assert sorted(stored_in(*stream)) == sorted(
        (one.record.partition_key, one.record.data) for one in written
    )
    assert services.keys() == []


def test_a_bucket_that_is_not_there_is_named(services: Services) -> None:
    place = f"s3://{services.name}-nowhere/letters"

    with pytest.raises(SetupError, match="no such queue, bucket or object"):
        S3DeadLetters(place, session=services.session).write([letter(1)])
    with pytest.raises(SetupError, match="no such queue, bucket or object"):
        letters_in(services.open(place))
