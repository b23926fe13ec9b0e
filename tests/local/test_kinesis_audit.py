"""Does the model of Kinesis keep to the service's own description of itself, as botocore has it?"""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from kcl_py.local.kinesis.api import _OPERATIONS
from tests.local.worlds import FIRST, HASH_KEYS, KinesisWorld, refused

SERVICE: Any = botocore.session.Session().get_service_model("kinesis")
KNOWN = sorted(set(_OPERATIONS) & set(SERVICE.operation_names))
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

REFUSED_EVERYWHERE = {"StreamId", "DryRun"}
"""Reserved by the service; and a question that the engine does not answer."""
REFUSED = {
    "CreateStream": {"RecordDistributionStrategy", "WarmThroughputMiBps"},
    "UpdateStreamMode": {"WarmThroughputMiBps"},
}
"""Capacity that is paid for beforehand, and placement without keys."""


def parameters_of(operation: str) -> set[str]:
    shape = SERVICE.operation_model(operation).input_shape
    return set() if shape is None else set(shape.members)


@pytest.mark.parametrize("operation", KNOWN)
def test_parameters_are_the_services_or_refused_by_name(operation: str) -> None:
    of_service = parameters_of(operation)
    of_engine = _OPERATIONS[operation].parameters

    # An older botocore knows less than the engine does.
    newer = {"MaxRecordSizeInKiB", "Tags", "StreamARN"}
    assert of_engine - of_service <= newer
    left_out = of_service - of_engine
    assert left_out <= REFUSED_EVERYWHERE | REFUSED.get(operation, set())
    for name in left_out:
        error = refused(KinesisWorld().call, operation, **{name: "x"})
        assert error.code == "ValidationException"
        assert name in error.message


def test_other_operations_are_refused_by_name() -> None:
    for operation in set(SERVICE.operation_names) - set(_OPERATIONS):
        error = refused(KinesisWorld().call, operation)
        assert error.code == "UnknownOperationException"
        assert operation in error.message


@pytest.mark.parametrize("operation", KNOWN)
def test_what_the_service_requires_is_required(operation: str) -> None:
    shape = SERVICE.operation_model(operation).input_shape
    if shape is None or not shape.required_members:
        return
    world = Told()
    request = dict(world.requests()[operation])
    for name in shape.required_members:
        left = {key: value for key, value in request.items() if key != name}
        error = refused(world.call, operation, **left)
        assert error.code in ("ValidationException", "SerializationException"), name


class Told(KinesisWorld):
    """A stream with a past, a consumer, and a request of every operation that it grants."""

    def __init__(self) -> None:
        super().__init__(shards=2)
        self.call("StartStreamEncryption", StreamName="s", EncryptionType="KMS", KeyId="k")
        self.clock.advance(1)
        self.call("AddTagsToStream", StreamName="s", Tags={"a": "1"})
        self.put(b"1")
        self.split(FIRST, 1000)
        self.put(b"2")
        answer = self.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c")
        self.consumer = answer["Consumer"]["ConsumerARN"]
        self.clock.advance(1)

    def requests(self) -> dict[str, dict[str, Any]]:
        stream: dict[str, Any] = {"StreamName": "s"}
        by_arn: dict[str, Any] = {"StreamARN": ARN}
        record: dict[str, Any] = {"Data": b"x", "PartitionKey": "k"}
        encryption = stream | {"EncryptionType": "KMS", "KeyId": "k"}
        one, other = "shardId-000000000003", "shardId-000000000001"
        return {
            "AddTagsToStream": stream | {"Tags": {"b": "2"}},
            "CreateStream": {"StreamName": "t", "ShardCount": 1},
            "DecreaseStreamRetentionPeriod": stream | {"RetentionPeriodHours": 24},
            "DeleteStream": stream | {"EnforceConsumerDeletion": True},
            "DeregisterStreamConsumer": {"ConsumerARN": self.consumer},
            "DescribeAccountSettings": {},
            "DescribeLimits": {},
            "DescribeStream": stream,
            "DescribeStreamConsumer": {"ConsumerARN": self.consumer},
            "DescribeStreamSummary": by_arn,
            "DisableEnhancedMonitoring": stream | {"ShardLevelMetrics": ["ALL"]},
            "EnableEnhancedMonitoring": stream | {"ShardLevelMetrics": ["ALL"]},
            "GetRecords": {"ShardIterator": self.iterator()},
            "GetShardIterator": stream | {"ShardId": one, "ShardIteratorType": "LATEST"},
            "IncreaseStreamRetentionPeriod": stream | {"RetentionPeriodHours": 48},
            "ListShards": stream | {"MaxResults": 1},
            "ListStreamConsumers": by_arn,
            "ListStreams": {},
            "ListTagsForResource": {"ResourceARN": ARN},
            "ListTagsForStream": stream,
            "MergeShards": stream | {"ShardToMerge": one, "AdjacentShardToMerge": other},
            "PutRecord": stream | record,
            "PutRecords": stream | {"Records": [record]},
            "RegisterStreamConsumer": by_arn | {"ConsumerName": "d"},
            "RemoveTagsFromStream": stream | {"TagKeys": ["a"]},
            "SplitShard": stream | {"ShardToSplit": one, "NewStartingHashKey": "5000"},
            "StartStreamEncryption": encryption,
            "StopStreamEncryption": encryption,
            "SubscribeToShard": {
                "ConsumerARN": self.consumer,
                "ShardId": one,
                "StartingPosition": {"Type": "LATEST"},
            },
            "TagResource": {"ResourceARN": ARN, "Tags": {"b": "2"}},
            "UntagResource": {"ResourceARN": ARN, "TagKeys": ["a"]},
            "UpdateMaxRecordSize": by_arn | {"MaxRecordSizeInKiB": 2048},
            "UpdateShardCount": stream | {"TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"},
            "UpdateStreamMode": by_arn | {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
        }


def assert_fits(shape: Any, value: Any, where: str) -> None:
    """The value has the members of the shape, and those that the service always has."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), where
        known = set(shape.members)
        # A newer engine than botocore: sizes of records came late.
        assert value.keys() - {"MaxRecordSizeInKiB"} <= known, where
        assert set(shape.required_members) <= value.keys(), where
        for name, part in value.items():
            if name in known:
                assert_fits(shape.members[name], part, f"{where}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list | tuple), where
        for part in value:
            assert_fits(shape.member, part, where)
    else:
        kinds = {"string": str, "blob": bytes, "boolean": bool, "timestamp": float}
        assert isinstance(value, kinds.get(shape.type_name, int)), where
        if getattr(shape, "enum", None):
            assert value in shape.enum, where


@pytest.mark.parametrize("operation", KNOWN)
def test_answers_have_the_services_shape(operation: str) -> None:
    world = Told()
    shape = SERVICE.operation_model(operation).output_shape

    answer = world.call(operation, **world.requests()[operation])

    if operation == "SubscribeToShard":
        world.put(b"3", hash_key=HASH_KEYS - 1)
        events = shape.members["EventStream"]
        event = answer["EventStream"].take()
        while event is None:
            world.clock.advance(5)
            event = answer["EventStream"].take()
        assert_fits(events.members[event.name], event.body, event.name)
    elif shape is None:
        assert answer == {}
    else:
        assert_fits(shape, answer, operation)


def test_every_operation_has_a_request_here() -> None:
    assert set(Told().requests()) == set(_OPERATIONS)


@pytest.mark.parametrize("operation", KNOWN)
def test_a_stream_that_is_not_there(operation: str) -> None:
    world = Told()
    request = world.requests()[operation]
    world.call("DeleteStream", StreamName="s", EnforceConsumerDeletion=True)
    world.clock.advance(1)
    if operation in ("CreateStream", "ListStreams", "DescribeLimits", "DescribeAccountSettings"):
        world.call(operation, **request)
    else:
        assert refused(world.call, operation, **request).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("GetShardIterator", {"ShardIteratorType": "LATEST", "Timestamp": 1.0}),
        ("GetShardIterator", {"ShardIteratorType": "LATEST", "StartingSequenceNumber": "1"}),
        ("GetShardIterator", {"ShardIteratorType": "AT_TIMESTAMP", "StartingSequenceNumber": "1"}),
        ("GetRecords", {"Limit": 10_001}),
        ("ListShards", {"ShardFilter": {"Type": "AT_LATEST", "Timestamp": 1.0}}),
        ("ListShards", {"ShardFilter": {"Type": "AT_LATEST", "ShardId": FIRST}}),
        ("ListStreams", {"NextToken": "invented"}),
        ("SubscribeToShard", {"StartingPosition": {"Type": "LATEST", "SequenceNumber": "1"}}),
    ],
)
def test_what_has_no_use_is_an_invalid_argument(operation: str, more: dict[str, Any]) -> None:
    world = Told()

    error = refused(world.call, operation, **(world.requests()[operation] | more))

    assert error.code == "InvalidArgumentException"


@pytest.mark.parametrize("number", ["01", "1e3", "٣", "-1", " 1", "", "1" * 130])
def test_a_number_that_is_none(number: str) -> None:
    world = Told()
    requests = [
        ("PutRecord", {"ExplicitHashKey": number}),
        ("PutRecord", {"SequenceNumberForOrdering": number}),
        ("SplitShard", {"NewStartingHashKey": number}),
        (
            "GetShardIterator",
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number},
        ),
        (
            "SubscribeToShard",
            {"StartingPosition": {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": number}},
        ),
    ]

    for operation, more in requests:
        error = refused(world.call, operation, **(world.requests()[operation] | more))
        assert error.code == "ValidationException", operation


def test_lists_are_no_longer_than_the_services() -> None:
    world = KinesisWorld(shards=1100)
    for number in range(101):
        world.call("CreateStream", StreamName=f"t{number}", ShardCount=1)

    assert len(world.shards(MaxResults=10_000)) == 1000
    described = world.call("DescribeStream", StreamName="s", Limit=10_000)["StreamDescription"]
    assert len(described["Shards"]) == 100
    assert described["HasMoreShards"]
    first = world.call("ListStreams", Limit=10_000)
    assert len(first["StreamNames"]) == 100
    rest = world.call("ListStreams", NextToken=first["NextToken"])["StreamNames"]
    assert len(rest) == 2
    world.clock.advance(301)
    late = refused(world.call, "ListStreams", NextToken=first["NextToken"])
    assert late.code == "ExpiredNextTokenException"


def test_a_record_has_three_members() -> None:
    record = {"Data": b"x", "PartitionKey": "k", "Colour": "red"}

    error = refused(KinesisWorld().call, "PutRecords", StreamName="s", Records=[record])

    assert error.code == "ValidationException"
    assert "Colour" in error.message


def test_a_token_keeps_its_filter() -> None:
    world = Told()
    first = world.call(
        "ListShards", StreamName="s", MaxResults=1, ShardFilter={"Type": "FROM_TRIM_HORIZON"}
    )
    token = first["NextToken"]

    world.call("ListShards", NextToken=token, ShardFilter={"Type": "FROM_TRIM_HORIZON"})
    error = refused(world.call, "ListShards", NextToken=token, ShardFilter={"Type": "AT_LATEST"})
    assert error.code == "InvalidArgumentException"
