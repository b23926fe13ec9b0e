"""Can monitoring, encryption, the mode and the size of records be changed as in the service?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.local.kinesis.changes import METRICS
from tests.local.worlds import KinesisWorld, refused

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
DAY = 86_400.0


def summary(world: KinesisWorld, name: str = "s") -> dict[str, Any]:
    answer = world.call("DescribeStreamSummary", StreamName=name)
    described: dict[str, Any] = answer["StreamDescriptionSummary"]
    return described


def metrics_of(world: KinesisWorld) -> list[str]:
    listed: list[str] = summary(world)["EnhancedMonitoring"][0]["ShardLevelMetrics"]
    return listed


def change(world: KinesisWorld, operation: str, **request: Any) -> dict[str, Any]:
    answer = world.call(operation, StreamName="s", **request)
    world.clock.advance(1)
    return answer


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.lists(st.sampled_from((*METRICS, "ALL")), min_size=1, max_size=7),
        ),
        max_size=6,
    )
)
def test_metrics_come_and_go(steps: list[tuple[bool, list[str]]]) -> None:
    world = KinesisWorld()
    expected: set[str] = set()
    for enables, named in steps:
        operation = "EnableEnhancedMonitoring" if enables else "DisableEnhancedMonitoring"
        answer = change(world, operation, ShardLevelMetrics=named)
        assert set(answer["CurrentShardLevelMetrics"]) == expected
        meant = set(METRICS) if "ALL" in named else set(named)
        expected = expected | meant if enables else expected - meant
        assert set(answer["DesiredShardLevelMetrics"]) == expected

    assert sorted(metrics_of(world)) == sorted(expected)


def test_metrics_hold_when_the_stream_is_active_again() -> None:
    world = KinesisWorld(update_seconds=5.0)
    answer = change(world, "EnableEnhancedMonitoring", ShardLevelMetrics=["ALL"])

    assert answer["StreamARN"] == "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    assert summary(world)["StreamStatus"] == "UPDATING"
    assert metrics_of(world) == []
    world.clock.advance(5)
    assert metrics_of(world) == list(METRICS)


@pytest.mark.parametrize("named", [[], ["Colour"], ["ALL", *METRICS], [7]])
def test_bad_metrics_are_refused(named: list[Any]) -> None:
    world = KinesisWorld()

    error = refused(world.call, "EnableEnhancedMonitoring", StreamName="s", ShardLevelMetrics=named)

    assert error.code == "ValidationException"


def test_encryption_is_told_of_streams_puts_and_records() -> None:
    world = KinesisWorld()
    record = {"Data": b"x", "PartitionKey": "k"}
    plain = world.call("PutRecord", StreamName="s", **record)
    change(world, "StartStreamEncryption", EncryptionType="KMS", KeyId="alias/aws/kinesis")
    one = world.call("PutRecord", StreamName="s", **record)
    many = world.call("PutRecords", StreamName="s", Records=[record])

    assert "EncryptionType" not in plain
    assert one["EncryptionType"] == many["EncryptionType"] == "KMS"
    assert summary(world)["EncryptionType"] == "KMS"
    assert summary(world)["KeyId"] == "alias/aws/kinesis"
    records = world.page(world.iterator())["Records"]
    assert [record.get("EncryptionType") for record in records] == [None, "KMS", "KMS"]

    change(world, "StopStreamEncryption", EncryptionType="KMS", KeyId="alias/aws/kinesis")
    assert "EncryptionType" not in world.call("PutRecord", StreamName="s", **record)
    assert summary(world)["EncryptionType"] == "NONE"
    assert "KeyId" not in summary(world)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"EncryptionType": "NONE", "KeyId": "k"}, "InvalidArgumentException"),
        ({"EncryptionType": "ROT13", "KeyId": "k"}, "ValidationException"),
        ({"EncryptionType": "KMS"}, "ValidationException"),
        ({"EncryptionType": "KMS", "KeyId": "k" * 2049}, "ValidationException"),
    ],
)
def test_bad_encryption_is_refused(request_: dict[str, Any], code: str) -> None:
    world = KinesisWorld()

    for operation in ("StartStreamEncryption", "StopStreamEncryption"):
        assert refused(world.call, operation, StreamName="s", **request_).code == code


def test_only_the_key_in_use_ends_encryption() -> None:
    world = KinesisWorld()
    change(world, "StartStreamEncryption", EncryptionType="KMS", KeyId="one")

    error = refused(change, world, "StopStreamEncryption", EncryptionType="KMS", KeyId="other")

    assert error.code == "InvalidArgumentException"
    assert summary(world)["KeyId"] == "one"


def test_a_new_key_can_be_applied_25_times_a_day() -> None:
    world = KinesisWorld(limits=True)
    for number in range(25):
        change(world, "StartStreamEncryption", EncryptionType="KMS", KeyId=f"key-{number}")
    change(world, "StartStreamEncryption", EncryptionType="KMS", KeyId="key-24")

    error = refused(change, world, "StartStreamEncryption", EncryptionType="KMS", KeyId="new")

    assert error.code == "LimitExceededException"
    world.clock.advance(DAY)
    change(world, "StartStreamEncryption", EncryptionType="KMS", KeyId="new")


def test_what_was_changed_outlives_a_restart() -> None:
    world = KinesisWorld()
    world.call("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=2048)
    world.clock.advance(1)
    set_mode(world, "ON_DEMAND")
    change(world, "EnableEnhancedMonitoring", ShardLevelMetrics=["IncomingBytes"])
    change(world, "StartStreamEncryption", EncryptionType="KMS", KeyId="key")
    world.put(b"secret")

    other = KinesisWorld()
    other.clock.now = world.clock.now
    other.model.load(world.model.dump())

    assert summary(other) == summary(world)
    assert other.page(other.iterator())["Records"] == world.page(world.iterator())["Records"]


def set_mode(world: KinesisWorld, mode: str, name: str = "s") -> dict[str, Any]:
    answer = world.call(
        "UpdateStreamMode",
        StreamARN=f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}",
        StreamModeDetails={"StreamMode": mode},
    )
    world.clock.advance(1)
    return answer


def test_an_on_demand_stream_begins_with_four_shards() -> None:
    world = KinesisWorld()
    world.call("CreateStream", StreamName="d", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    world.clock.advance(1)

    assert summary(world, "d")["OpenShardCount"] == 4
    assert summary(world, "d")["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    limits = world.call("DescribeLimits")
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"]) == (1, 1)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"StreamModeDetails": {"StreamMode": "ON_DEMAND"}, "ShardCount": 4}, "Validation"),
        ({"StreamModeDetails": {"StreamMode": "SOMETIMES"}}, "Validation"),
        ({"StreamModeDetails": {}, "ShardCount": 1}, "Validation"),
        ({"StreamModeDetails": {"StreamMode": "PROVISIONED"}}, "Validation"),
        ({"StreamModeDetails": {"StreamMode": "ON_DEMAND", "Warm": 1}}, "Validation"),
        ({"ShardCount": 1, "WarmThroughputMiBps": 10}, "Validation"),
        ({"ShardCount": 0}, "Validation"),
        ({"ShardCount": 10}, "LimitExceeded"),
    ],
)
def test_a_stream_that_cannot_be_made(request_: dict[str, Any], code: str) -> None:
    world = KinesisWorld(shards_max=10)

    error = refused(world.call, "CreateStream", StreamName="d", **request_)

    assert error.code == f"{code}Exception"
    assert world.call("ListStreams")["StreamNames"] == ["s"]


def test_the_shards_of_an_on_demand_stream_are_the_services_business() -> None:
    world = KinesisWorld(shards=2)
    set_mode(world, "ON_DEMAND")
    ids = world.shard_ids()

    split = refused(world.split, ids[0], 1000)
    merge = refused(world.merge, *ids)
    count = refused(
        world.call,
        "UpdateShardCount",
        StreamName="s",
        TargetShardCount=3,
        ScalingType="UNIFORM_SCALING",
    )

    assert {split.code, merge.code, count.code} == {"ValidationException"}
    assert world.shard_ids() == ids
    world.put(b"x")
    set_mode(world, "PROVISIONED")
    world.merge(*ids)
    assert len(world.shard_ids()) == 3


def test_the_mode_changes_twice_a_day() -> None:
    world = KinesisWorld(limits=True)
    set_mode(world, "ON_DEMAND")
    set_mode(world, "ON_DEMAND")
    set_mode(world, "PROVISIONED")

    assert refused(set_mode, world, "ON_DEMAND").code == "LimitExceededException"
    world.clock.advance(DAY)
    set_mode(world, "ON_DEMAND")


def test_an_account_has_so_many_on_demand_streams() -> None:
    world = KinesisWorld(on_demand_streams_max=1)
    world.call("CreateStream", StreamName="d", StreamModeDetails={"StreamMode": "ON_DEMAND"})

    switched = refused(set_mode, world, "ON_DEMAND")
    made = refused(
        world.call, "CreateStream", StreamName="e", StreamModeDetails={"StreamMode": "ON_DEMAND"}
    )

    assert switched.code == made.code == "LimitExceededException"


def test_a_stream_that_becomes_provisioned_counts_its_shards() -> None:
    world = KinesisWorld(shards_max=4)
    world.call("CreateStream", StreamName="d", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    world.clock.advance(1)

    assert refused(set_mode, world, "PROVISIONED", "d").code == "LimitExceededException"


def test_five_streams_are_made_at_a_time() -> None:
    world = KinesisWorld(limits=True, create_seconds=60.0)
    world.clock.advance(60)
    for number in range(5):
        world.call("CreateStream", StreamName=f"t{number}", ShardCount=1)
        world.clock.advance(1)

    error = refused(world.call, "CreateStream", StreamName="u", ShardCount=1)

    assert error.code == "LimitExceededException"
    world.clock.advance(60)
    world.call("CreateStream", StreamName="u", ShardCount=1)


def test_the_account_has_no_commitment() -> None:
    answer = KinesisWorld().call("DescribeAccountSettings")

    assert answer == {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}


@pytest.mark.parametrize("kib", [1023, 10_241])
def test_a_record_size_out_of_range(kib: int) -> None:
    world = KinesisWorld()

    update = refused(world.call, "UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=kib)
    create = refused(
        world.call, "CreateStream", StreamName="t", ShardCount=1, MaxRecordSizeInKiB=kib
    )

    assert update.code == create.code == "ValidationException"


def test_the_largest_record_of_each_stream() -> None:
    world = KinesisWorld()
    world.call("CreateStream", StreamName="t", ShardCount=1, MaxRecordSizeInKiB=2048)
    world.clock.advance(1)
    sizes = {"s": 1024, "t": 2048}

    for name, kib in sizes.items():
        assert summary(world, name)["MaxRecordSizeInKiB"] == kib
        fits = {"Data": b"x" * (kib * 1024 - 1), "PartitionKey": "k"}
        exceeds = {"Data": b"x" * (kib * 1024), "PartitionKey": "k"}
        world.call("PutRecord", StreamName=name, **fits)
        world.call("PutRecords", StreamName=name, Records=[fits])
        one = refused(world.call, "PutRecord", StreamName=name, **exceeds)
        many = refused(world.call, "PutRecords", StreamName=name, Records=[fits, exceeds])
        assert one.code == many.code == "ValidationException"


def test_a_smaller_size_leaves_larger_records_to_be_read() -> None:
    world = KinesisWorld()
    world.call("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=10_240)
    world.clock.advance(1)
    world.put(b"x" * 9_000_000)
    world.call("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=1024)
    world.clock.advance(1)

    assert refused(world.put, b"x" * 2_000_000).code == "ValidationException"
    assert [len(data) for data in world.read()] == [9_000_000]
