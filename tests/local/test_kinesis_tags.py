"""Does the model of Kinesis keep tags as the service does, by both families of operations?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local.worlds import KinesisWorld, refused

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

STEPS = st.lists(
    st.tuples(
        st.booleans(),
        st.booleans(),
        st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "1", "2"]), min_size=1),
    ),
    max_size=10,
)


def tags_of(world: KinesisWorld) -> dict[str, str]:
    listed = world.call("ListTagsForResource", ResourceARN=ARN)["Tags"]
    assert listed == world.call("ListTagsForStream", StreamName="s")["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


@given(STEPS)
def test_both_families_see_the_same_tags(steps: list[tuple[bool, bool, dict[str, str]]]) -> None:
    world = KinesisWorld()
    expected: dict[str, str] = {}
    for adds, by_resource, tags in steps:
        place = {"ResourceARN": ARN} if by_resource else {"StreamName": "s"}
        if adds:
            world.call("TagResource" if by_resource else "AddTagsToStream", Tags=tags, **place)
            expected |= tags
        else:
            name = "UntagResource" if by_resource else "RemoveTagsFromStream"
            world.call(name, TagKeys=list(tags), **place)
            expected = {key: value for key, value in expected.items() if key not in tags}

    assert tags_of(world) == expected


def test_tags_are_listed_in_pages() -> None:
    world = KinesisWorld()
    world.call("AddTagsToStream", StreamName="s", Tags={"c": "3", "a": "1", "b": "2"})

    first = world.call("ListTagsForStream", StreamName="s", Limit=2)
    second = world.call("ListTagsForStream", StreamName="s", ExclusiveStartTagKey="b")

    assert [tag["Key"] for tag in first["Tags"]] == ["a", "b"]
    assert first["HasMoreTags"]
    assert second == {"Tags": [{"Key": "c", "Value": "3"}], "HasMoreTags": False}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({}, "ValidationException"),
        ({"": "x"}, "ValidationException"),
        ({"k" * 129: "x"}, "ValidationException"),
        ({"k": "v" * 257}, "ValidationException"),
        ({"k": 1}, "SerializationException"),
        ({"aws:k": "x"}, "InvalidArgumentException"),
        ({"k!": "x"}, "InvalidArgumentException"),
        ({"k": "x?"}, "InvalidArgumentException"),
        ({str(number): "x" for number in range(51)}, "LimitExceededException"),
        ({str(number): "x" for number in range(201)}, "ValidationException"),
    ],
)
def test_bad_tags_are_refused_as_a_whole(tags: dict[str, Any], code: str) -> None:
    world = KinesisWorld()
    tags = {"good": "x"} | tags if tags else tags

    by_name = refused(world.call, "AddTagsToStream", StreamName="s", Tags=tags)
    by_resource = refused(world.call, "TagResource", ResourceARN=ARN, Tags=tags)

    assert by_name.code == by_resource.code == code
    assert tags_of(world) == {}


def test_what_the_service_allows_in_tags() -> None:
    world = KinesisWorld()
    tags = {"Größe 1": "a_b.c:d/e=f+g-h@i", "k" * 128: "v" * 256, "empty": ""}

    world.call("TagResource", ResourceARN=ARN, Tags=tags)

    assert tags_of(world) == tags


def test_fifty_tags_are_the_limit_however_they_come() -> None:
    world = KinesisWorld()
    world.call("AddTagsToStream", StreamName="s", Tags={str(n): "x" for n in range(50)})

    world.call("AddTagsToStream", StreamName="s", Tags={"0": "y"})
    error = refused(world.call, "AddTagsToStream", StreamName="s", Tags={"50": "x"})

    assert error.code == "LimitExceededException"
    assert tags_of(world)["0"] == "y"


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (ARN + "2", "ResourceNotFoundException"),
        (ARN.replace("stream", "queue"), "ResourceNotFoundException"),
        (ARN.replace("kinesis", "s3"), "ValidationException"),
        ("s", "ValidationException"),
    ],
)
def test_a_resource_that_is_none(arn: str, code: str) -> None:
    assert refused(KinesisWorld().call, "ListTagsForResource", ResourceARN=arn).code == code


def test_tags_are_changed_while_a_stream_is_active_only() -> None:
    world = KinesisWorld(update_seconds=5.0)
    world.call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)

    errors = [
        refused(world.call, "AddTagsToStream", StreamName="s", Tags={"a": "1"}),
        refused(world.call, "RemoveTagsFromStream", StreamName="s", TagKeys=["a"]),
        refused(world.call, "TagResource", ResourceARN=ARN, Tags={"a": "1"}),
        refused(world.call, "UntagResource", ResourceARN=ARN, TagKeys=["a"]),
    ]

    assert {error.code for error in errors} == {"ResourceInUseException"}
    assert tags_of(world) == {}


def test_a_stream_can_be_made_with_tags() -> None:
    world = KinesisWorld()
    world.call("CreateStream", StreamName="t", ShardCount=1, Tags={"a": "1"})

    assert world.call("ListTagsForStream", StreamName="t")["Tags"] == [{"Key": "a", "Value": "1"}]
    error = refused(world.call, "CreateStream", StreamName="u", ShardCount=1, Tags={"aws:a": "1"})
    assert error.code == "InvalidArgumentException"
    assert "u" not in world.call("ListStreams")["StreamNames"]


def test_keys_to_remove_are_at_most_fifty() -> None:
    keys = [str(number) for number in range(51)]

    error = refused(KinesisWorld().call, "RemoveTagsFromStream", StreamName="s", TagKeys=keys)

    assert error.code == "ValidationException"
