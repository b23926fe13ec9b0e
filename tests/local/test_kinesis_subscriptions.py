"""Does the model of Kinesis push records to a subscribed consumer as the service does?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.local.kinesis.shards import Shard
from kcl_py.local.kinesis.subscriptions import Event, Subscription
from tests.local.worlds import FIRST, HASH_KEYS, SECOND, START, KinesisWorld, refused

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


class FanOut(KinesisWorld):
    """A stream with an ACTIVE consumer `c`."""

    def __init__(self, shards: int = 1, **settings: Any) -> None:
        super().__init__(shards, **settings)
        self.consumer = self.register("c")
        self.clock.advance(settings.get("create_seconds", 1))

    def register(self, name: str) -> str:
        answer = self.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=name)
        arn: str = answer["Consumer"]["ConsumerARN"]
        return arn

    def subscribe(
        self, kind: str = "LATEST", shard: str = FIRST, consumer: str | None = None, **more: Any
    ) -> Subscription:
        answer = self.call(
            "SubscribeToShard",
            ConsumerARN=consumer or self.consumer,
            ShardId=shard,
            StartingPosition={"Type": kind} | more,
        )
        subscription: Subscription = answer["EventStream"]
        return subscription


def data_of(event: Event | None) -> list[bytes]:
    assert event is not None
    return [record["Data"] for record in event.body["Records"]]


def pushed(subscription: Subscription) -> list[bytes]:
    """All data that is there now."""
    found = []
    while (event := subscription.take()) is not None and not event.is_error:
        found += data_of(event)
    return found


def test_the_five_starting_positions() -> None:
    world = FanOut(takeover_seconds=0.0)
    numbers = []
    began = world.clock.now
    for number in range(4):
        numbers.append(world.put(str(number).encode()))
        world.clock.advance(10)

    def at(kind: str, **more: Any) -> list[bytes]:
        return pushed(world.subscribe(kind, **more))

    assert at("TRIM_HORIZON") == [b"0", b"1", b"2", b"3"]
    assert at("LATEST") == []
    assert at("AT_SEQUENCE_NUMBER", SequenceNumber=numbers[2]) == [b"2", b"3"]
    assert at("AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[2]) == [b"3"]
    assert at("AT_TIMESTAMP", Timestamp=began + 5) == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("position", "code"),
    [
        ({}, "ValidationException"),
        ({"Type": "SOMEWHERE"}, "ValidationException"),
        ({"Type": "AT_SEQUENCE_NUMBER"}, "InvalidArgumentException"),
        ({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "1"}, "InvalidArgumentException"),
        ({"Type": "AT_TIMESTAMP"}, "InvalidArgumentException"),
        ({"Type": "AT_TIMESTAMP", "Timestamp": START + 1e6}, "InvalidArgumentException"),
        ({"Type": "LATEST", "StartingSequenceNumber": "1"}, "ValidationException"),
    ],
)
def test_a_bad_position_is_refused_and_takes_no_seat(position: Any, code: str) -> None:
    world = FanOut()
    request = {"ConsumerARN": world.consumer, "ShardId": FIRST, "StartingPosition": position}

    assert refused(world.call, "SubscribeToShard", **request).code == code
    world.subscribe()


def test_who_cannot_subscribe() -> None:
    world = FanOut(create_seconds=1.0)
    new = world.register("new")

    assert refused(world.subscribe, consumer=new).code == "ResourceInUseException"
    assert refused(world.subscribe, consumer=ARN).code == "ValidationException"
    missing = refused(world.subscribe, consumer=f"{ARN}/consumer/c:1")
    assert missing.code == "ResourceNotFoundException"
    nowhere = refused(world.subscribe, shard="shardId-000000000009")
    assert nowhere.code == "ResourceNotFoundException"


def test_a_subscription_sees_what_comes_later() -> None:
    world = FanOut()
    subscription = world.subscribe()
    woken: list[float] = []
    subscription.attach(lambda: woken.append(world.clock.now))

    world.clock.advance(2)
    assert subscription.take() is None
    world.put(b"new")
    event = subscription.take()

    assert woken == [world.clock.now]
    assert event is not None
    assert data_of(event) == [b"new"]
    assert event.body["Records"][0]["PartitionKey"] == "k"
    assert event.body["MillisBehindLatest"] == 0
    assert "ChildShards" not in event.body
    assert subscription.take() is None


def test_two_consumers_each_see_everything() -> None:
    world = FanOut()
    other = world.register("d")
    world.clock.advance(1)
    subscriptions = [world.subscribe(), world.subscribe(consumer=other)]

    world.put(b"1")

    assert [pushed(subscription) for subscription in subscriptions] == [[b"1"], [b"1"]]


def test_a_quiet_subscription_has_a_heartbeat() -> None:
    world = FanOut()
    number = world.put(b"old")
    subscription = world.subscribe()
    beats = []
    for _ in range(12):
        world.clock.advance(2.5)
        event = subscription.take()
        if event is not None:
            assert event.body["Records"] == []
            assert event.body["ContinuationSequenceNumber"] == number
            beats.append(world.clock.now)

    assert [later - earlier for earlier, later in pairwise(beats)] == [5.0] * 5


def test_a_subscription_ends_after_five_minutes() -> None:
    world = FanOut()
    subscription = world.subscribe()
    events = 0
    while not subscription.is_over:
        world.clock.now = subscription.wakes_at
        events += subscription.take() is not None

    assert world.clock.now == START + 2 + 300
    assert events == 59
    assert subscription.take() is None


def test_a_second_subscription_is_refused_for_five_seconds_and_then_takes_over() -> None:
    world = FanOut(shards=2)
    first = world.subscribe()
    world.clock.advance(4.9)
    assert refused(world.subscribe).code == "ResourceInUseException"
    world.subscribe(shard=SECOND)
    world.clock.advance(0.1)
    woken: list[int] = []
    first.attach(lambda: woken.append(1))

    second = world.subscribe()
    world.put(b"1")
    end = first.take()

    assert woken
    assert end is not None
    assert (end.name, end.is_error) == ("ResourceInUseException", True)
    assert first.is_over
    assert first.take() is None
    assert pushed(second) == [b"1"]


def test_the_seat_stays_taken_after_its_client_is_gone() -> None:
    world = FanOut()
    world.subscribe().close()

    assert refused(world.subscribe).code == "ResourceInUseException"
    world.clock.advance(5)
    world.subscribe()


def test_nobody_is_woken_who_has_left() -> None:
    world = FanOut()
    subscription = world.subscribe()
    subscription.attach(lambda: pytest.fail("woken"))
    subscription.close()

    world.put(b"x")


def test_the_end_of_a_shard_has_children_and_no_number() -> None:
    world = FanOut(update_seconds=1.0)
    subscription = world.subscribe()
    world.call(
        "SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 2)
    )
    world.put(b"last")
    records = subscription.take()
    assert data_of(records) == [b"last"]
    assert subscription.wakes_at == world.clock.now + 1
    world.clock.advance(1)

    end = subscription.take()

    assert end is not None
    assert end.body["Records"] == []
    assert "ContinuationSequenceNumber" not in end.body
    assert [child["ShardId"] for child in end.body["ChildShards"]] == [
        SECOND,
        "shardId-000000000002",
    ]
    assert end.body["ChildShards"][0]["ParentShards"] == [FIRST]
    assert subscription.is_over


def test_a_closed_shard_ends_at_once_for_who_has_read_it() -> None:
    world = FanOut()
    number = world.put(b"1")
    world.split(FIRST, HASH_KEYS // 2)

    subscription = world.subscribe("AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
    event = subscription.take()

    assert event is not None
    assert len(event.body["ChildShards"]) == 2
    assert subscription.is_over


def test_deregistering_ends_the_subscriptions() -> None:
    world = FanOut(delete_seconds=1.0)
    subscription = world.subscribe()
    world.call("DeregisterStreamConsumer", ConsumerARN=world.consumer)

    event = subscription.take()

    assert event is not None
    assert (event.name, event.is_error) == ("ResourceNotFoundException", True)
    assert refused(world.subscribe).code == "ResourceInUseException"


def test_deleting_the_stream_ends_the_subscriptions() -> None:
    world = FanOut(delete_seconds=1.0)
    subscription = world.subscribe()
    world.call("DeleteStream", StreamName="s", EnforceConsumerDeletion=True)

    event = subscription.take()

    assert event is not None
    assert event.name == "ResourceNotFoundException"


def test_a_consumer_gets_two_megabytes_per_second_of_each_shard() -> None:
    world = FanOut()
    for _ in range(10):
        world.put(b"x" * 1_000_000)
    settings = world.model._account.settings
    world.model._account.settings = type(settings)(limits=True)
    subscription = world.subscribe("TRIM_HORIZON")
    began = world.clock.now
    count = 0
    while count < 10:
        event = subscription.take()
        if event is None:
            assert subscription.wakes_at > world.clock.now
            world.clock.now = subscription.wakes_at
        else:
            count += len(event.body["Records"])

    assert 3.0 < world.clock.now - began < 5.0


def test_polling_takes_nothing_from_a_subscription() -> None:
    world = FanOut(limits=True)
    iterator = world.iterator()
    for _ in range(5):
        world.page(iterator)
    world.put(b"1")

    assert refused(world.page, iterator).code == "ProvisionedThroughputExceededException"
    assert pushed(world.subscribe("TRIM_HORIZON")) == [b"1"]


def test_events_are_small() -> None:
    world = FanOut()
    for _ in range(5):
        world.put(b"x" * 700_000)
    for number in range(2_500):
        world.put(str(number).encode())
    subscription = world.subscribe("TRIM_HORIZON")
    sizes = []
    while (event := subscription.take()) is not None:
        sizes.append(len(event.body["Records"]))

    assert sizes[:4] == [1, 1, 1, 1]
    assert sum(sizes) == 2_505
    assert max(sizes) == 1_000


STEPS = st.lists(
    st.one_of(
        st.just("put"),
        st.just("take"),
        st.just("again at"),
        st.just("again after"),
        st.sampled_from([0.0, 0.4, 1.0, 6.0, 3 * 3600.0]),
    ),
    max_size=40,
)


@given(STEPS)
def test_continuing_loses_nothing_and_repeats_at_most_one(steps: list[str | float]) -> None:
    """Whoever goes on from the number of the last event misses nothing that is still kept."""
    world = FanOut(takeover_seconds=0.0)
    subscription = world.subscribe()
    put: list[bytes] = []
    got: list[bytes] = []
    number: str | None = None
    for step in steps:
        if step == "put":
            put.append(str(len(put)).encode())
            world.put(put[-1])
        elif step == "take":
            event = subscription.take()
            if event is not None:
                got += data_of(event)
                number = event.body["ContinuationSequenceNumber"]
            if subscription.is_over and number is None:
                return
        elif isinstance(step, float):
            world.clock.advance(step)
        elif number is not None:
            kind = "AT_SEQUENCE_NUMBER" if step == "again at" else "AFTER_SEQUENCE_NUMBER"
            subscription = world.subscribe(kind, SequenceNumber=number)
            if step == "again at":
                event = subscription.take()
                fresh = [] if event is None else data_of(event)
                number = number if event is None else event.body["ContinuationSequenceNumber"]
                got += fresh[1:] if got and fresh[:1] == got[-1:] else fresh

    places = [int(data) for data in got]
    assert places == sorted(set(places))
    if world.clock.now < START + 24 * 3600:
        assert places == list(range(len(places)))


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 50.0, -3.0]), max_size=20),
    st.floats(0, 1000),
    st.data(),
)
def test_the_number_before_a_position_leads_back_to_it(
    pauses: list[float], trimmed: float, data: st.DataObject
) -> None:
    now = START
    shard = Shard(
        index=3, made_at=now, made_second=int(now), hash_keys=(0, HASH_KEYS - 1), parent_ids=()
    )
    for pause in pauses:
        shard.append(b"x", "k", now)
        now += pause
    shard.trim(START + trimmed)
    position = data.draw(st.integers(shard.oldest, shard.tip))
    number = int(shard.number_before(position))
    shard.append(b"x", "k", now)

    assert max(shard.oldest, shard.at_number(number, after=True) or 0) == position
    again = max(shard.oldest, shard.at_number(number, after=False) or 0)
    assert position - 1 <= again <= position
