"""Does the model of Kinesis split, merge, list and number shards as the service does?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local.worlds import FIRST, HASH_KEYS, SECOND, START, KinesisWorld, refused

RESHARDS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 10_000),
        st.integers(0, HASH_KEYS),
        st.sampled_from([0.0, 0.4, 1.0, 7.0]),
    ),
    max_size=12,
)


def reshard(world: KinesisWorld, *, split: bool, pick: int, border: int, pause: float) -> None:
    """One random step that is allowed, or none."""
    opened = sorted(
        world.shards(ShardFilter={"Type": "AT_LATEST"}),
        key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]),
    )
    at = pick % len(opened)
    low, high = (int(key) for key in opened[at]["HashKeyRange"].values())
    world.clock.now -= 1 - pause / 2
    if split and high - low > 10:
        world.split(opened[at]["ShardId"], low + 2 + border % (high - low - 4))
    elif at + 1 < len(opened):
        world.merge(opened[at]["ShardId"], opened[at + 1]["ShardId"])
    else:
        world.clock.now += 1


@given(RESHARDS)
def test_whatever_is_split_and_merged(steps: list[tuple[bool, int, int, float]]) -> None:
    world = KinesisWorld(shards=2, update_seconds=0.0)
    for split, pick, border, pause in steps:
        world.put(b"x", hash_key=border % HASH_KEYS)
        reshard(world, split=split, pick=pick, border=border, pause=pause)

    shards = {shard["ShardId"]: shard for shard in world.shards()}
    opened = sorted(
        tuple(int(key) for key in shard["HashKeyRange"].values())
        for shard in shards.values()
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    )
    assert opened[0][0] == 0
    assert opened[-1][1] == HASH_KEYS - 1
    assert all(one[1] + 1 == other[0] for one, other in pairwise(opened))
    for shard in shards.values():
        start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        assert len(start) == 56
        for role in ("ParentShardId", "AdjacentParentShardId"):
            if role in shard:
                end = shards[shard[role]]["SequenceNumberRange"]["EndingSequenceNumber"]
                assert start > end


@given(st.lists(st.sampled_from([0.0, 0.001, 0.5, 3.0, -2.0]), min_size=1, max_size=30))
def test_sequence_numbers_lie_between_the_ends_of_their_shard(pauses: list[float]) -> None:
    world = KinesisWorld()
    numbers = [world.put()]
    for pause in pauses:
        world.clock.advance(pause)
        numbers.append(world.put())
    world.clock.advance(10)
    world.split(FIRST, HASH_KEYS // 2)
    ends = world.shards()[0]["SequenceNumberRange"]

    chain = [ends["StartingSequenceNumber"], *numbers, ends["EndingSequenceNumber"]]
    assert chain == sorted(set(chain))
    assert [int(number) for number in chain] == sorted(int(number) for number in chain)


def test_a_merge_has_two_parents() -> None:
    world = KinesisWorld(shards=2)
    world.merge(SECOND, FIRST)

    child = world.shards()[2]
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (SECOND, FIRST)
    assert child["HashKeyRange"] == {
        "StartingHashKey": "0",
        "EndingHashKey": str(HASH_KEYS - 1),
    }


def test_only_neighbours_are_merged() -> None:
    world = KinesisWorld(shards=3)

    error = refused(world.merge, FIRST, "shardId-000000000002")

    assert error.code == "InvalidArgumentException"


@pytest.mark.parametrize("border", [0, 1, HASH_KEYS // 2 - 1, HASH_KEYS // 2, HASH_KEYS - 1])
def test_a_split_leaves_neither_side_empty(border: int) -> None:
    world = KinesisWorld(shards=2)

    assert refused(world.split, FIRST, border).code == "InvalidArgumentException"


def test_a_closed_shard_is_not_split_again() -> None:
    world = KinesisWorld()
    world.split(FIRST, HASH_KEYS // 2)

    assert refused(world.split, FIRST, HASH_KEYS // 4).code == "ResourceInUseException"
    assert refused(world.split, "shardId-9", 5).code == "ResourceNotFoundException"


def filtered(world: KinesisWorld, kind: str, **more: Any) -> list[int]:
    found = world.shard_ids(ShardFilter={"Type": kind, **more})
    return [int(shard_id.removeprefix("shardId-")) for shard_id in found]


def test_filters_by_time() -> None:
    world = KinesisWorld()
    world.clock.advance(100)
    world.split(FIRST, HASH_KEYS // 2)
    world.clock.advance(100)
    before, after = START + 50, START + 150

    assert filtered(world, "AT_TIMESTAMP", Timestamp=before) == [0]
    assert filtered(world, "AT_TIMESTAMP", Timestamp=after) == [1, 2]
    assert filtered(world, "FROM_TIMESTAMP", Timestamp=before) == [0, 1, 2]
    assert filtered(world, "FROM_TIMESTAMP", Timestamp=after) == [1, 2]
    assert filtered(world, "AT_TRIM_HORIZON") == [0]
    assert filtered(world, "FROM_TRIM_HORIZON") == [0, 1, 2]
    assert filtered(world, "AT_LATEST") == [1, 2]
    assert filtered(world, "AFTER_SHARD_ID", ShardId=FIRST) == [1, 2]


def test_the_trim_horizon_moves() -> None:
    world = KinesisWorld()
    world.clock.advance(12 * 3600)
    world.split(FIRST, HASH_KEYS // 2)
    world.clock.advance(13 * 3600)

    assert filtered(world, "AT_TRIM_HORIZON") == [0]
    world.clock.advance(12 * 3600)
    assert filtered(world, "AT_TRIM_HORIZON") == [1, 2]


def test_a_filter_on_the_future_is_refused() -> None:
    world = KinesisWorld()

    error = refused(filtered, world, "AT_TIMESTAMP", Timestamp=world.clock.now + 1)

    assert error.code == "InvalidArgumentException"


def test_pages_of_a_listing_see_the_same_filter() -> None:
    world = KinesisWorld(shards=4)
    first = world.call(
        "ListShards", StreamName="s", MaxResults=3, ShardFilter={"Type": "AT_TRIM_HORIZON"}
    )
    world.split(FIRST, HASH_KEYS // 8)

    second = world.call("ListShards", NextToken=first["NextToken"])

    assert [shard["ShardId"] for shard in second["Shards"]] == ["shardId-000000000003"]


def test_a_token_expires_and_is_bound_to_its_stream() -> None:
    world = KinesisWorld(shards=2)
    token = world.call("ListShards", StreamName="s", MaxResults=1)["NextToken"]
    iterator = world.iterator()

    assert refused(world.call, "ListShards", NextToken="x").code == "InvalidArgumentException"
    assert refused(world.call, "ListShards", NextToken=iterator).code == "InvalidArgumentException"
    both = refused(world.call, "ListShards", NextToken=token, StreamName="s")
    assert both.code == "InvalidArgumentException"
    world.clock.advance(301)
    late = refused(world.call, "ListShards", NextToken=token)
    assert late.code == "ExpiredNextTokenException"
