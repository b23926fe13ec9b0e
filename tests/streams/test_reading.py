"""Every record once, in order within a shard, parents first: whatever happens meanwhile."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.aggregation import Aggregate
from kcl_py.core.commands import Fetch
from kcl_py.core.events import PageFetched
from kcl_py.core.shards.graph import Shard
from kcl_py.errors import ConfigError
from kcl_py.records import Position
from kcl_py.streams.machine import Ends, ReadMachine
from kcl_py.streams.start import beginning_of, entries_of
from kcl_py.streams.troubles import error_of
from tests.local.worlds import FIRST, SECOND
from tests.streams.reading_world import ReadingWorld

DEEDS = ("put", "put", "split", "merge", "scale", "read", "read", "wait")


def do(world: ReadingWorld, deed: str, amount: int) -> None:
    match deed:
        case "put":
            world.put(amount)
        case "split":
            world.split()
        case "merge":
            world.merge()
        case "scale":
            world.scale()
        case "wait":
            world.world.clock.advance(amount)
        case "read":
            for _ in range(amount):
                world.step()


deeds = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(1, 20)), max_size=15)


@settings(max_examples=25, deadline=None)
@given(
    before=deeds,
    during=deeds,
    shards=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    faults=st.sampled_from([0.0, 0.3]),
)
def test_every_record_comes_once_in_order_and_parents_first(
    before: list[tuple[str, int]],
    during: list[tuple[str, int]],
    shards: int,
    seed: int,
    faults: float,
) -> None:
    world = ReadingWorld(shards, seed=seed, faults=faults)
    for deed, amount in before:
        if deed != "read":
            do(world, deed, amount)
    world.open(ends=Ends(idle_seconds=1e6))

    for deed, amount in during:
        do(world, deed, amount)
    world.run_until_all()

    assert world.machine is not None
    assert world.machine.broken is None
    assert world.data_by_shard() == dict(world.put_in)
    world.check_parents_first()


@settings(max_examples=25, deadline=None)
@given(before=deeds, during=deeds, seed=st.integers(0, 2**32), faults=st.sampled_from([0.0, 0.3]))
def test_latest_brings_all_that_came_since_and_nothing_before(
    before: list[tuple[str, int]], during: list[tuple[str, int]], seed: int, faults: float
) -> None:
    world = ReadingWorld(2, seed=seed, faults=faults)
    for deed, amount in before:
        if deed != "read":
            do(world, deed, amount)
    world.put_in.clear()
    world.fault_rate = 0
    # If its first iterators expire before they brought anything, a whole second decides.
    world.world.clock.advance(1)
    world.open("latest", ends=Ends(idle_seconds=1e6))
    world.fault_rate = faults

    for deed, amount in during:
        do(world, deed, amount)
    world.run_until_all()

    assert world.data_by_shard() == dict(world.put_in)
    world.check_parents_first()


def test_a_merged_shard_waits_for_a_parent_that_came_to_light_late() -> None:
    """B and half of A merge; the end of B names a child one of whose parents is not known yet."""
    world = ReadingWorld(2)
    world.open(ends=Ends(idle_seconds=1e6))
    world.put(20)
    world.world.split(FIRST, 2**126)
    world.put(20)
    world.world.merge("shardId-000000000003", SECOND)
    world.put(20)
    assert world.machine is not None
    [first, second] = world.machine.due(world.now)
    world.machine.receive(world.now, world._execute(second))
    world.take_all()
    world.world.clock.advance(1)
    [again] = world.machine.due(world.now)
    world.machine.receive(world.now, world._execute(again))
    world._under_way.append((world.now, first))

    world.run_until_all()

    assert world.data_by_shard() == dict(world.put_in)
    world.check_parents_first()


def test_a_reader_that_catches_up_ends_with_what_was_there() -> None:
    world = ReadingWorld(2)
    world.put(30)
    world.split()
    world.put(30)
    world.open(ends=Ends(when_caught_up=True))

    world.run()

    assert world.data_by_shard() == dict(world.put_in)


def test_a_closed_shard_is_read_to_its_end_before_the_reader_has_caught_up() -> None:
    """The service may say that nothing is left, and only the next time that the shard ends."""
    parent = Shard(shard_id="p", parents=(), hash_range=(0, 9), is_open=False)
    child = Shard(shard_id="c", parents=("p",), hash_range=(0, 9), is_open=True)
    machine = ReadMachine(
        [parent, child],
        entries_of(beginning_of("earliest"), None, {}, single=None, opens=True),
        takes_all=True,
        ends=Ends(when_caught_up=True),
        rng=random.Random(0),
        now=0.0,
    )

    asked = []
    for now in range(3):
        [read] = machine.due(float(now))
        assert isinstance(read, Fetch)
        asked.append(read.shard_id)
        answer = PageFetched(
            fetch_id=read.fetch_id,
            key=read.key,
            page=None,
            next_iterator=None if now == 1 else "more",
            children=(child,) if now == 1 else (),
            lag=0.0,
            bytes_read=2,
        )
        assert not machine.is_over(float(now))
        machine.receive(float(now), answer)

    assert asked == ["p", "p", "c"]
    assert machine.is_over(3.0)


def test_a_reader_of_an_empty_stream_catches_up() -> None:
    world = ReadingWorld(3)
    world.open(ends=Ends(when_caught_up=True))

    world.run()

    assert world.read == []


def test_silence_ends_a_reading_and_records_put_it_off() -> None:
    world = ReadingWorld()
    world.open(ends=Ends(idle_seconds=5))
    began = world.now
    while world.now < began + 4:
        world.step()
    world.put()

    world.run()

    assert len(world.read) == 1
    assert 9 <= world.now - began <= 12


def test_silence_while_nothing_answers_is_told() -> None:
    world = ReadingWorld()
    world.open(ends=Ends(idle_seconds=30))
    world.fault_rate = 1

    world.run()

    assert world.machine is not None
    assert world.machine.broken is not None


def test_reads_that_fail_for_minutes_end_the_reading() -> None:
    world = ReadingWorld()
    world.open(ends=Ends())
    world.fault_rate = 1

    world.run()

    assert world.machine is not None
    assert world.machine.broken is not None
    assert world.machine.broken.shard_id == FIRST


@pytest.mark.parametrize("count", [1, 7, 30])
def test_no_more_records_come_than_were_asked_for(count: int) -> None:
    world = ReadingWorld(2)
    world.put(30)
    world.open(ends=Ends(records_max=count))

    world.run()

    assert len(world.read) == count


def test_a_shard_is_called_five_times_a_second_at_most() -> None:
    world = ReadingWorld()
    world.open(ends=Ends(idle_seconds=1e6))
    began = world.now
    while world.now < began + 20:
        if world.rng.random() < 0.5:
            world.put()
        world.step()

    called = sorted(at for calls in world.calls.values() for at in calls)
    assert len(called) > 20
    assert all(later - at >= 1.0 for at, later in zip(called, called[5:], strict=False))


def test_some_shards_and_what_becomes_of_them() -> None:
    world = ReadingWorld(2)
    world.put(20)
    world.open(shard_ids=[SECOND], ends=Ends(idle_seconds=1e6))
    world.world.split(SECOND, 3 * 2**126)
    world.put(20)
    of_first = len(world.put_in.pop(FIRST))

    world.run_until_all()

    assert of_first > 0
    assert world.data_by_shard() == dict(world.put_in)


def test_a_time_begins_with_what_came_then() -> None:
    world = ReadingWorld(2)
    world.put(20)
    world.world.clock.advance(10)
    world.split()
    world.put_in.clear()
    since = world.now - 0.001
    world.put(20)
    world.world.clock.advance(5)

    world.open(datetime.fromtimestamp(since, UTC))
    world.run()

    assert world.data_by_shard() == dict(world.put_in)


def test_some_time_ago_is_counted_on_the_clock_of_the_service() -> None:
    world = ReadingWorld()
    world.put(20)
    world.world.clock.advance(100)
    world.put_in.clear()
    world.put(20)

    world.open("-50s")
    world.run()

    assert world.data_by_shard() == dict(world.put_in)


def test_a_time_to_come_is_refused() -> None:
    world = ReadingWorld()

    with pytest.raises(ConfigError, match="in the future"):
        world.open(datetime.fromtimestamp(world.now + 60, UTC))


def read_from(world: ReadingWorld, start: str | Position) -> list[str]:
    world.read.clear()
    world.open(start)
    world.run()
    return [record.data.decode() for _, record in world.read]


def test_a_position_of_a_record() -> None:
    world = ReadingWorld()
    numbers = [world.world.put(str(number).encode()) for number in range(5)]

    assert read_from(world, f"at:{numbers[2]}") == ["2", "3", "4"]
    assert read_from(world, f"at:{numbers[2]}/0") == ["2", "3", "4"]
    assert read_from(world, f"after:{numbers[2]}") == ["3", "4"]
    assert read_from(world, f"after:{numbers[2]}/0") == ["3", "4"]
    assert read_from(world, Position(numbers[2])) == ["3", "4"]


def test_a_position_inside_of_an_aggregated_record() -> None:
    world = ReadingWorld()
    packed = Aggregate(size_bytes_max=1_000)
    for data in (b"a", b"b", b"c"):
        assert packed.add(data, "key")
    number = world.world.put(packed.encode())
    world.world.put(b"last")

    assert read_from(world, f"at:{number}/1") == ["b", "c", "last"]
    assert read_from(world, f"after:{number}/1") == ["c", "last"]
    assert read_from(world, Position(number, 2)) == ["last"]
    assert read_from(world, f"at:{number}") == ["a", "b", "c", "last"]
    assert read_from(world, f"after:{number}") == ["last"]


def test_aggregated_records_can_be_had_as_they_are() -> None:
    world = ReadingWorld()
    packed = Aggregate(size_bytes_max=1_000)
    assert packed.add(b"a", "key")
    assert packed.add(b"b", "key")
    number = world.world.put(packed.encode())
    world.world.put(b"last")

    for start, count in ((f"at:{number}/1", 2), (Position(number, 0), 1), ("earliest", 2)):
        world.read.clear()
        world.open(start, opens=False)
        world.run()
        assert len(world.read) == count
    assert world.read[0][1].data == packed.encode()


def test_a_position_needs_its_shard() -> None:
    world = ReadingWorld(2)

    with pytest.raises(ConfigError, match=f"one of {FIRST}, {SECOND}"):
        world.open("at:123")


def test_a_place_that_a_shard_does_not_have_is_told() -> None:
    world = ReadingWorld(2)
    number = world.world.put(hash_key=0)
    world.open(f"at:{number}", shard_ids=[SECOND])

    world.run()

    assert world.machine is not None
    assert world.machine.broken is not None
    broken = world.machine.broken
    assert isinstance(error_of(broken.failure, broken.shard_id), ConfigError)


def test_an_unknown_shard_is_answered_with_the_nearest() -> None:
    world = ReadingWorld(2)

    with pytest.raises(ConfigError, match="did you mean shardId-"):
        world.open(shard_ids=["shardId-00000000000"])
    with pytest.raises(ConfigError, match="list of shard ids"):
        world.open(shard_ids=FIRST)


def test_a_shard_that_retention_passes_while_it_is_read_is_left_behind() -> None:
    world = ReadingWorld()
    world.put(5)
    world.split()
    world.put(5)
    world.open(ends=Ends(idle_seconds=1e6))
    world.world.clock.advance(25 * 3600)
    world.put_in.clear()
    world.put(5)

    world.run_until_all()

    assert world.data_by_shard() == dict(world.put_in)


def test_an_iterator_that_expires_is_made_anew() -> None:
    world = ReadingWorld()
    world.put(5)
    world.world.clock.advance(1)
    world.open("latest", ends=Ends(idle_seconds=1e6))
    world.put_in.clear()
    world.put(3)
    world.world.clock.advance(400)

    world.run_until_all()
    world.world.clock.advance(400)
    world.put(3)
    world.run_until_all()

    assert world.data_by_shard() == dict(world.put_in)


@pytest.mark.parametrize(
    "start", ["", "soon", "at:", "at:x", "after:1/x", "-", "-5 parsecs", "2026-11-21T10:00", 7]
)
def test_what_is_no_place_is_refused_with_all_spellings(start: object) -> None:
    with pytest.raises(ConfigError, match="latest"):
        beginning_of(start)  # type: ignore[arg-type]  # the mistake


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ConfigError, match="time zone"):
        beginning_of(datetime(2026, 11, 21))  # noqa: DTZ001 - the mistake
