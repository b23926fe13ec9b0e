"""Does the model of Kinesis register consumers as the service does?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.local.worlds import START, KinesisWorld, refused

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


def register(world: KinesisWorld, name: str = "c", **more: Any) -> dict[str, Any]:
    request = {"StreamARN": ARN, "ConsumerName": name} | more
    consumer: dict[str, Any] = world.call("RegisterStreamConsumer", **request)["Consumer"]
    return consumer


def describe(world: KinesisWorld, **request: Any) -> dict[str, Any]:
    answer = world.call("DescribeStreamConsumer", **request)
    described: dict[str, Any] = answer["ConsumerDescription"]
    return described


def names(world: KinesisWorld, **request: Any) -> list[str]:
    listed = world.call("ListStreamConsumers", StreamARN=ARN, **request)["Consumers"]
    return [consumer["ConsumerName"] for consumer in listed]


def test_a_consumer_comes_and_goes_in_steps() -> None:
    world = KinesisWorld(create_seconds=0.5, delete_seconds=2.0)
    consumer = register(world)
    arn = consumer["ConsumerARN"]
    seen = [consumer["ConsumerStatus"]]
    world.clock.advance(2)
    seen.append(describe(world, ConsumerARN=arn)["ConsumerStatus"])
    world.call("DeregisterStreamConsumer", ConsumerARN=arn)
    world.call("DeregisterStreamConsumer", ConsumerARN=arn)
    seen.append(describe(world, ConsumerARN=arn)["ConsumerStatus"])
    world.clock.advance(2)

    assert seen == ["CREATING", "ACTIVE", "DELETING"]
    error = refused(describe, world, ConsumerARN=arn)
    assert error.code == "ResourceNotFoundException"
    assert names(world) == []


def test_the_arn_tells_when_it_was_registered() -> None:
    world = KinesisWorld()

    consumer = register(world)

    assert consumer["ConsumerARN"] == f"{ARN}/consumer/c:{int(START) + 1}"
    assert consumer["ConsumerCreationTimestamp"] == START + 1
    botocores = (
        r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[\w.-]+:[0-9]+"
    )
    assert re.fullmatch(botocores, consumer["ConsumerARN"])


def test_the_same_name_gets_another_arn_even_in_the_same_second() -> None:
    world = KinesisWorld(create_seconds=0.0, delete_seconds=0.0)
    first = register(world)["ConsumerARN"]
    world.call("DeregisterStreamConsumer", ConsumerARN=first)

    second = register(world)["ConsumerARN"]

    assert first != second
    assert refused(describe, world, ConsumerARN=first).code == "ResourceNotFoundException"
    assert describe(world, ConsumerARN=second)["ConsumerStatus"] == "ACTIVE"


def test_a_consumer_is_named_in_three_ways_that_must_agree() -> None:
    world = KinesisWorld()
    world.call("CreateStream", StreamName="t", ShardCount=1)
    other = ARN[:-1] + "t"
    arn = register(world)["ConsumerARN"]
    register(world, "d")

    by_arn = describe(world, ConsumerARN=arn)
    assert by_arn == describe(world, StreamARN=ARN, ConsumerName="c")
    assert by_arn == describe(world, StreamARN=ARN, ConsumerName="c", ConsumerARN=arn)
    assert by_arn["StreamARN"] == ARN
    codes = [
        refused(describe, world, **request).code
        for request in (
            {"ConsumerARN": arn, "ConsumerName": "d"},
            {"ConsumerARN": arn, "StreamARN": other},
            {"ConsumerName": "c"},
            {"StreamARN": ARN},
            {},
        )
    ]
    assert set(codes) == {"InvalidArgumentException"}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"ConsumerARN": ARN}, "ValidationException"),
        ({"ConsumerARN": f"{ARN}/consumer/c:1"}, "ResourceNotFoundException"),
        ({"ConsumerARN": f"{ARN}2/consumer/c:1"}, "ResourceNotFoundException"),
        ({"StreamARN": ARN, "ConsumerName": "nobody"}, "ResourceNotFoundException"),
        ({"StreamARN": ARN, "ConsumerName": "no body"}, "ValidationException"),
    ],
)
def test_a_consumer_that_is_none(request_: dict[str, Any], code: str) -> None:
    world = KinesisWorld()

    for operation in ("DescribeStreamConsumer", "DeregisterStreamConsumer"):
        assert refused(world.call, operation, **request_).code == code


def test_a_name_is_given_once() -> None:
    world = KinesisWorld()
    register(world)

    assert refused(register, world).code == "ResourceInUseException"
    assert refused(register, world, "no way").code == "ValidationException"
    missing = refused(register, world, "d", StreamARN=ARN + "2")
    assert missing.code == "ResourceNotFoundException"


def test_a_stream_has_twenty_consumers_and_an_account_five_that_are_new() -> None:
    world = KinesisWorld(limits=True, create_seconds=10.0)
    world.clock.advance(10)
    for number in range(20):
        if number % 5 == 0:
            world.clock.advance(10)
        register(world, f"c{number}")
    sixth = refused(register, world, "new")
    world.clock.advance(10)
    twenty_first = refused(register, world, "new")

    assert sixth.code == twenty_first.code == "LimitExceededException"
    assert len(names(world)) == 20
    summary = world.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    assert summary["ConsumerCount"] == 20


def test_five_new_consumers_at_a_time_over_all_streams() -> None:
    world = KinesisWorld(limits=True, create_seconds=10.0)
    world.call("CreateStream", StreamName="t", ShardCount=1)
    world.clock.advance(10)
    for number in range(5):
        register(world, f"c{number}")
    world.clock.advance(1)

    error = refused(register, world, "c", StreamARN=ARN[:-1] + "t")

    assert error.code == "LimitExceededException"


def test_consumers_are_listed_in_pages() -> None:
    world = KinesisWorld()
    for name in ("c", "a", "b"):
        register(world, name)

    first = world.call("ListStreamConsumers", StreamARN=ARN, MaxResults=2)
    second = world.call("ListStreamConsumers", StreamARN=ARN, NextToken=first["NextToken"])

    assert [one["ConsumerName"] for one in first["Consumers"]] == ["a", "b"]
    assert [one["ConsumerName"] for one in second["Consumers"]] == ["c"]
    assert "NextToken" not in second
    assert "StreamARN" not in second["Consumers"][0]


def test_a_token_is_bound_to_its_stream_and_expires() -> None:
    world = KinesisWorld(shards=2)
    world.call("CreateStream", StreamName="t", ShardCount=1)
    for name in ("a", "b"):
        register(world, name)
    token = world.call("ListStreamConsumers", StreamARN=ARN, MaxResults=1)["NextToken"]
    shards = world.call("ListShards", StreamName="s", MaxResults=1)["NextToken"]

    def code(**request: Any) -> str:
        return refused(world.call, "ListStreamConsumers", **({"StreamARN": ARN} | request)).code

    assert code(NextToken=shards) == "InvalidArgumentException"
    assert code(NextToken=token, StreamARN=ARN[:-1] + "t") == "InvalidArgumentException"
    assert code(NextToken=token, StreamCreationTimestamp=START) == "InvalidArgumentException"
    world.clock.advance(301)
    assert code(NextToken=token) == "ExpiredNextTokenException"


def test_a_creation_time_picks_the_stream() -> None:
    world = KinesisWorld()
    register(world)

    assert names(world, StreamCreationTimestamp=START) == ["c"]
    assert len(world.shard_ids(StreamCreationTimestamp=START + 0.5)) == 1
    other = refused(names, world, StreamCreationTimestamp=START - 5)
    shards = refused(world.shard_ids, StreamCreationTimestamp=START - 5)
    assert other.code == shards.code == "ResourceNotFoundException"


def test_a_stream_with_consumers_is_deleted_only_on_request() -> None:
    world = KinesisWorld()
    arn = register(world)["ConsumerARN"]

    error = refused(world.call, "DeleteStream", StreamName="s")
    assert error.code == "ResourceInUseException"
    refused(world.call, "DeleteStream", StreamName="s", EnforceConsumerDeletion=False)
    world.call("DeleteStream", StreamName="s", EnforceConsumerDeletion=True)
    world.clock.advance(1)
    assert refused(describe, world, ConsumerARN=arn).code == "ResourceNotFoundException"


def test_consumers_have_tags_of_their_own() -> None:
    world = KinesisWorld()
    arn = register(world, Tags={"a": "1"})["ConsumerARN"]
    world.call("TagResource", ResourceARN=arn, Tags={"b": "2"})
    world.call("UntagResource", ResourceARN=arn, TagKeys=["a"])

    listed = world.call("ListTagsForResource", ResourceARN=arn)

    assert listed == {"Tags": [{"Key": "b", "Value": "2"}]}
    assert world.call("ListTagsForResource", ResourceARN=ARN) == {"Tags": []}


def test_calls_are_counted_per_stream() -> None:
    world = KinesisWorld(limits=True)
    world.call("CreateStream", StreamName="t", ShardCount=1)
    for _ in range(5):
        names(world)

    assert refused(names, world).code == "LimitExceededException"
    world.call("ListStreamConsumers", StreamARN=ARN[:-1] + "t")
    world.clock.advance(1)
    names(world)


def test_consumers_outlive_a_restart() -> None:
    world = KinesisWorld()
    arn = register(world, Tags={"a": "1"})["ConsumerARN"]
    gone = register(world, "gone")["ConsumerARN"]
    world.call("DeregisterStreamConsumer", ConsumerARN=gone)
    world.clock.advance(1)
    other = KinesisWorld()
    other.clock.now = world.clock.now

    other.model.load(world.model.dump())

    assert describe(other, ConsumerARN=arn) == describe(world, ConsumerARN=arn)
    assert other.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    assert names(other) == ["c"]
