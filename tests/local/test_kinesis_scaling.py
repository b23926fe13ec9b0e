"""Does the model of Kinesis scale a stream uniformly, without losing a record or a line?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kcl_py.local.kinesis.scaling import even_borders, next_level
from tests.local.worlds import FIRST, HASH_KEYS, KinesisWorld, refused

BORDERS = st.sets(
    st.integers(1, HASH_KEYS - 1) | st.sampled_from([1, 2, HASH_KEYS // 2, HASH_KEYS - 1]),
    max_size=9,
)


def scale(world: KinesisWorld, target: int) -> dict[str, Any]:
    return world.call(
        "UpdateShardCount",
        StreamName="s",
        TargetShardCount=target,
        ScalingType="UNIFORM_SCALING",
    )


def status(world: KinesisWorld) -> tuple[str, int]:
    summary = world.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    return summary["StreamStatus"], summary["OpenShardCount"]


def open_ranges(world: KinesisWorld) -> list[tuple[int, int]]:
    shards = world.shards(ShardFilter={"Type": "AT_LATEST"})
    return sorted(
        (int(keys["StartingHashKey"]), int(keys["EndingHashKey"]))
        for keys in (shard["HashKeyRange"] for shard in shards)
    )


@given(BORDERS, st.integers(1, 12))
def test_levels_lead_from_any_shards_to_even_ones(inside: set[int], target: int) -> None:
    edges = [0, *sorted(inside), HASH_KEYS]
    ranges = [(first, behind - 1) for first, behind in pairwise(edges)]
    borders = even_borders(target)
    for _ in range(12):
        level = next_level(ranges, borders)
        if not level:
            break
        closed = [keys for step in level for keys in step.closes]
        assert len(set(closed)) == len(closed)
        ranges = sorted(
            {*ranges}.difference(closed) | {keys for step in level for keys in step.opens}
        )
        assert ranges[0][0] == 0
        assert ranges[-1][1] == HASH_KEYS - 1
        assert all(one[1] + 1 == other[0] for one, other in pairwise(ranges))
        for step in level:
            assert {len(step.closes), len(step.opens)} == {1, 2}

    assert ranges == [(first, behind - 1) for first, behind in pairwise(borders)]


@given(st.integers(1, 8), st.lists(st.integers(1, 16), min_size=1, max_size=3))
def test_shards_end_up_equal_and_every_record_is_found_once(start: int, targets: list[int]) -> None:
    world = KinesisWorld(shards=start)
    current = start
    count = 0
    for target in targets:
        assume(target <= 2 * current and 2 * target >= current)
        answer = scale(world, target)
        assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (current, target)
        for _ in range(8):
            world.put(str(count).encode(), hash_key=count * 7919 * HASH_KEYS // 100_000 % HASH_KEYS)
            count += 1
            world.clock.advance(0.03)
        world.clock.advance(1)
        assert status(world) == ("ACTIVE", target)
        current = target

    edges = even_borders(current)
    assert open_ranges(world) == [(first, behind - 1) for first, behind in pairwise(edges)]
    found = [data for shard_id in world.shard_ids() for data in world.read(shard=shard_id)]
    assert sorted(found, key=int) == [str(number).encode() for number in range(count)]
    assert_lineage(world)


def assert_lineage(world: KinesisWorld) -> None:
    shards = {shard["ShardId"]: shard for shard in world.shards()}
    for shard in shards.values():
        start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        for role in ("ParentShardId", "AdjacentParentShardId"):
            if role in shard:
                assert start > shards[shard[role]]["SequenceNumberRange"]["EndingSequenceNumber"]


def test_two_shards_become_three_by_way_of_four() -> None:
    world = KinesisWorld(shards=2, update_seconds=10.0)
    scale(world, 3)
    seen = [status(world)]
    for _ in range(2):
        world.clock.advance(10)
        seen.append(status(world))

    assert seen == [("UPDATING", 2), ("UPDATING", 4), ("ACTIVE", 3)]


def test_levels_are_done_when_due_although_nobody_looks() -> None:
    world = KinesisWorld(shards=2, update_seconds=10.0)
    scale(world, 3)
    world.clock.advance(1000)

    assert status(world) == ("ACTIVE", 3)
    made = {shard.made_at for shard in world.model._account.streams["s"].shards.values()}
    assert sorted(world.clock.now - at for at in made) == [980, 990, 1001]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (9, "LimitExceededException"),
        (1, "LimitExceededException"),
        (0, "ValidationException"),
    ],
)
def test_at_most_double_and_at_least_half(target: int, code: str) -> None:
    assert refused(scale, KinesisWorld(shards=4), target).code == code


def test_half_of_an_odd_number_is_not_rounded_down() -> None:
    world = KinesisWorld(shards=5)

    assert refused(scale, world, 2).code == "LimitExceededException"
    scale(world, 3)


def test_the_same_number_makes_uneven_shards_even() -> None:
    world = KinesisWorld()
    world.split(FIRST, 1000)

    scale(world, 2)
    world.clock.advance(1)

    assert open_ranges(world) == [(0, HASH_KEYS // 2 - 1), (HASH_KEYS // 2, HASH_KEYS - 1)]


def test_short_lived_shards_count_too() -> None:
    world = KinesisWorld(shards=2, shards_max=3)

    assert refused(scale, world, 3).code == "LimitExceededException"


def test_nothing_else_changes_meanwhile() -> None:
    world = KinesisWorld(shards=2, update_seconds=10.0)
    scale(world, 3)
    world.clock.advance(10)

    assert refused(scale, world, 4).code == "ResourceInUseException"


def test_a_stream_is_scaled_ten_times_a_day() -> None:
    world = KinesisWorld(limits=True)
    for number in range(10):
        scale(world, 2 - number % 2)
        world.clock.advance(1)

    assert refused(scale, world, 2).code == "LimitExceededException"
    world.clock.advance(86_400)
    scale(world, 2)


def test_there_is_one_way_of_scaling() -> None:
    error = refused(
        KinesisWorld().call,
        "UpdateShardCount",
        StreamName="s",
        TargetShardCount=2,
        ScalingType="RANDOM",
    )

    assert error.code == "ValidationException"


def test_a_restart_in_between_finishes_it() -> None:
    world = KinesisWorld(shards=2, update_seconds=10.0)
    scale(world, 3)
    other = KinesisWorld()
    other.clock.now = world.clock.now

    other.model.load(world.model.dump())

    assert status(other) == ("ACTIVE", 3)
