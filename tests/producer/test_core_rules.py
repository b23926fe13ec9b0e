"""Does the deciding part keep its rules? Batches, time, attempts, errors, room, flushes."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.aws.put import EntryAnswer
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.puts import PUT_BYTES_MAX
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.commands import ListShards, Send
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.core.machine import SENDS_MAX, ProducerCore
from kcl_py.producer.core.units import ITEM_BYTES, Item
from tests.producer.world import World, refused


def core_of(**settings_: Any) -> ProducerCore:
    return ProducerCore(ProducerConfig(**settings_), random.Random(0))


def item_of(data: bytes = b"data", key: str = "key") -> Item:
    return Item(data, key, None, len(data) + len(key))


def send_of(core: ProducerCore, now: float) -> Send:
    command = core.poll(now)
    assert isinstance(command, Send)
    return command


def stored(send: Send) -> list[EntryAnswer]:
    return [EntryAnswer(shard_id="s", sequence_number=str(n)) for n in range(len(send.units))]


def refusal(code: str) -> list[EntryAnswer]:
    return [EntryAnswer(error_code=code, error_message="said")]


# --------------------------------------------------------------------------------------- batches


def test_a_lone_record_waits_for_company_as_long_as_told() -> None:
    core = core_of(linger=0.5)
    core.put(item_of(), 10.0)

    assert core.stirred
    assert core.poll(10.0) is None
    assert core.next_due() == 10.5
    assert len(send_of(core, 10.5).units) == 1


def test_a_full_batch_goes_at_once() -> None:
    core = core_of(batch_records=3)
    for _ in range(7):
        core.put(item_of(), 0.0)

    assert [len(send_of(core, 0.0).units) for _ in range(2)] == [3, 3]
    assert core.poll(0.0) is None
    assert core.next_due() == 0.1


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 3 * 1024 * 1024), min_size=1, max_size=40))
def test_batches_keep_both_limits_and_are_not_wasteful(sizes: list[int]) -> None:
    core = core_of(buffer_bytes=1 << 30)
    core.begin_flush()
    for size in sizes:
        core.put(Item(b"", "k", None, size), 0.0)

    batches: list[list[int]] = []
    while (command := core.poll(0.0)) is not None:
        assert isinstance(command, Send)
        batches.append([unit.size for unit in command.units])
        core.answered(command.send_id, stored(command), 0.0)

    assert [size for batch in batches for size in batch] == sizes
    for batch, following in itertools.pairwise(batches):
        assert len(batch) <= 500
        assert sum(batch) <= PUT_BYTES_MAX
        assert len(batch) == 500 or sum(batch) + following[0] > PUT_BYTES_MAX


def test_a_record_larger_than_a_request_of_many_goes_alone() -> None:
    core = core_of()
    for size in (10, 9 * 1024 * 1024, 10):
        core.put(Item(b"", "k", None, size), 0.0)

    assert [[u.size for u in send_of(core, 1.0).units] for _ in range(3)] == [
        [10],
        [9 * 1024 * 1024],
        [10],
    ]


def test_so_many_requests_are_under_way_and_no_more() -> None:
    core = core_of(batch_records=1)
    for _ in range(20):
        core.put(item_of(), 0.0)
    sends = [send_of(core, 0.0) for _ in range(SENDS_MAX)]

    assert core.poll(0.0) is None
    assert core.next_due() is None

    core.answered(sends[0].send_id, stored(sends[0]), 1.0)
    assert len(send_of(core, 1.0).units) == 1


# --------------------------------------------------------------------------------------- failures


def test_only_failed_entries_are_sent_again() -> None:
    core = core_of()
    items = [item_of(bytes([number])) for number in range(4)]
    for item in items:
        core.put(item, 0.0)
    send = send_of(core, 1.0)
    answer = stored(send)
    for place in (1, 3):
        answer[place] = EntryAnswer(error_code="InternalFailure", error_message="broken")

    core.answered(send.send_id, answer, 1.0)
    due = core.next_due()

    assert due is not None
    assert 1.05 <= due <= 1.1
    assert send_of(core, due).units == [items[1], items[3]]
    assert [item.attempts for item in items] == [1, 2, 1, 2]


def test_waits_grow_and_differ() -> None:
    core = core_of(linger=0.0)
    item = item_of()
    core.put(item, 0.0)
    now, waits = 0.0, []
    for _ in range(8):
        send = send_of(core, now)
        core.answered(send.send_id, refusal("ProvisionedThroughputExceededException"), now)
        due = core.next_due()
        assert due is not None
        waits.append(due - now)
        now = due

    for number, wait in enumerate(waits):
        longest = min(5.0, 0.1 * 2**number)
        assert longest / 2 <= wait <= longest
    assert core.ledger.counts.throttles == 8
    assert core.ledger.counts.retries == 7


def test_attempts_are_bounded_as_told() -> None:
    core = core_of(linger=0.0, attempts=3)
    item = item_of(b"whole", "its key")
    core.put(item, 0.0)
    now = 0.0
    for _ in range(3):
        send = send_of(core, now)
        core.answered(send.send_id, refusal("InternalFailure"), now)
        now = core.next_due() or now

    (kept,) = core.ledger.take_kept()
    failure = kept.failure
    assert (failure.data, failure.partition_key, failure.attempts) == (b"whole", "its key", 3)
    assert (failure.error_code, failure.error_message) == ("InternalFailure", "said")
    assert core.poll(100.0) is None


@pytest.mark.parametrize(
    "said",
    [
        refusal("InternalFailure"),
        replace(refused(FailureKind.UNKNOWN, "InternalFailure"), message="InternalFailure: said"),
    ],
    ids=["of an entry", "of a request, with its code"],
)
def test_a_record_has_its_time_and_comes_back_when_that_is_over(said: Any) -> None:
    core = core_of(linger=0.0, record_ttl=2.0)
    core.put(item_of(), 0.0)
    now = 0.0
    while core.ledger.pending:
        command = core.poll(now)
        if isinstance(command, Send):
            core.answered(command.send_id, said, now)
        now = core.next_due() or now

    (kept,) = core.ledger.take_kept()
    assert now == 2.0
    assert kept.failure.error_code == "InternalFailure"
    assert kept.failure.error_message == "not delivered for 2.0 s; the last time: said"


def test_a_record_that_nobody_could_send_says_so() -> None:
    core = core_of(batch_records=1, record_ttl=2.0)
    for _ in range(SENDS_MAX + 1):
        core.put(item_of(), 0.0)
    sends = [send_of(core, 0.0) for _ in range(SENDS_MAX)]
    core.answered(sends[0].send_id, stored(sends[0]), 5.0)
    core.poll(5.0)

    (kept,) = core.ledger.take_kept()
    assert (kept.failure.error_code, kept.failure.attempts) == ("RecordExpired", 0)


@pytest.mark.parametrize("kind", [FailureKind.GONE, FailureKind.DENIED])
def test_what_no_retry_mends_comes_back_at_once(kind: FailureKind) -> None:
    core = core_of()
    items = [item_of(), item_of()]
    for item in items:
        core.put(item, 0.0)
    send = send_of(core, 1.0)
    core.answered(send.send_id, refused(kind, "SomeException", passing=False), 1.0)

    assert [kept.failure.error_code for kept in core.ledger.take_kept()] == ["SomeException"] * 2
    assert core.next_due() is None


def test_credentials_that_expired_are_waited_for() -> None:
    core = core_of()
    core.put(item_of(), 0.0)
    send = send_of(core, 1.0)
    said = refused(FailureKind.DENIED, "ExpiredTokenException")
    core.answered(send.send_id, said, 1.0)

    assert core.ledger.pending == 1
    assert core.next_due() is not None


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 60), bad=st.sets(st.integers(0, 59), max_size=4))
def test_a_record_that_spoils_its_request_takes_nobody_along(count: int, bad: set[int]) -> None:
    core = core_of(attempts=1)
    items = [item_of(bytes([number])) for number in range(count)]
    for item in items:
        core.put(item, 0.0)
    spoilers = {items[number] for number in bad if number < count}
    while (command := core.poll(1.0)) is not None:
        assert isinstance(command, Send)
        if spoilers & set(command.units):
            said = refused(
                FailureKind.INVALID, "ValidationException", passing=False, blames_entries=True
            )
            core.answered(command.send_id, said, 1.0)
        else:
            core.answered(command.send_id, stored(command), 1.0)

    assert {item for item in items if isinstance(item.outcome, Kept)} == spoilers
    assert core.ledger.pending == 0


def test_a_request_that_is_refused_for_its_stream_comes_back_at_once_and_whole() -> None:
    """No half of it would fare better, so nothing is taken apart."""
    core = core_of()
    for number in range(500):
        core.put(item_of(bytes(2) + b"%d" % number), 0.0)
    send = send_of(core, 1.0)
    said = refused(FailureKind.INVALID, "ValidationException", passing=False)
    core.answered(send.send_id, said, 1.0)

    kept = core.ledger.take_kept()
    assert [one.failure.cause for one in kept] == ["stream"] * 500
    assert core.next_due() is None
    assert core.ledger.counts.requests == 1


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (refused(FailureKind.GONE, "ResourceNotFoundException", passing=False), "stream"),
        (refused(FailureKind.DENIED, "AccessDeniedException", passing=False), "stream"),
        (refused(FailureKind.INVALID, "ValidationException", passing=False), "stream"),
        (
            refused(FailureKind.INVALID, "ValidationException", passing=False, blames_entries=True),
            "record",
        ),
        (refused(FailureKind.DENIED, "ExpiredTokenException"), "passing"),
        (refused(FailureKind.UNKNOWN, "ReadTimeoutError"), "passing"),
        (refused(FailureKind.THROTTLED, "LimitExceededException"), "passing"),
        (refusal("ProvisionedThroughputExceededException"), "passing"),
        (refusal("InternalFailure"), "passing"),
        (refusal("KMSDisabledException"), "stream"),
    ],
    ids=str,
)
def test_a_failure_says_whether_it_helps_to_put_it_again(said: Any, cause: str) -> None:
    core = core_of(attempts=1)
    core.put(item_of(), 0.0)
    send = send_of(core, 1.0)
    core.answered(send.send_id, said, 1.0)

    (kept,) = core.ledger.take_kept()
    assert kept.failure.cause == cause
    assert kept.failure.permanent == (cause != "passing")


def test_an_answer_of_another_length_counts_for_nothing() -> None:
    core = core_of()
    items = [item_of(), item_of()]
    for item in items:
        core.put(item, 0.0)
    send = send_of(core, 1.0)
    core.answered(send.send_id, stored(send)[:1], 1.0)

    assert [item.outcome for item in items] == [None, None]
    assert core.next_due() is not None


# --------------------------------------------------------------------------------------- room


def test_room_is_kept_and_comes_back() -> None:
    core = core_of(buffer_bytes=64 * 1024)
    accepted = 0
    while core.put(item_of(b"x" * 1000), 0.0):
        accepted += 1
    assert accepted == 64 * 1024 // (1003 + ITEM_BYTES)

    send = send_of(core, 1.0)
    core.answered(send.send_id, stored(send), 1.0)
    assert core.ledger.used == 0
    assert core.put(item_of(), 1.0)


def test_failures_take_room_until_somebody_has_them() -> None:
    core = core_of(buffer_bytes=64 * 1024, attempts=1)
    while core.put(item_of(b"x" * 1000), 0.0):
        pass
    send = send_of(core, 1.0)
    broken = refused(FailureKind.UNKNOWN, "ReadTimeoutError")
    core.answered(send.send_id, broken, 1.0)

    assert core.ledger.is_full_of_failures()
    assert not core.put(item_of(b"x" * 1000), 1.0)
    first = send.units[0]
    assert isinstance(first, Item)
    assert isinstance(first.outcome, Kept)
    core.ledger.tell(first.outcome)
    assert core.put(item_of(b"x" * 1000), 1.0)
    assert not core.put(item_of(b"x" * 1000), 1.0)

    assert len(core.ledger.take_kept()) == len(send.units) - 1
    assert core.put(item_of(b"x" * 1000), 1.0)


# --------------------------------------------------------------------------------------- flushes


def test_a_flush_waits_for_what_was_put_before_it_and_for_nothing_else() -> None:
    core = core_of()
    core.put(item_of(), 0.0)
    epoch = core.begin_flush()
    first = send_of(core, 0.0)
    core.put(item_of(), 0.0)
    second = send_of(core, 0.0)

    core.answered(second.send_id, stored(second), 1.0)
    assert not core.ledger.is_flushed(epoch)
    core.answered(first.send_id, stored(first), 1.0)
    assert core.ledger.is_flushed(epoch)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.sampled_from(["put", "flush", "send", "answer"]), max_size=60))
def test_flushes_count_right(steps: list[str]) -> None:
    core = core_of(batch_records=2)
    flushes: list[tuple[int, set[Item]]] = []
    sends: list[Send] = []
    pending: set[Item] = set()
    for step in steps:
        if step == "put":
            item = item_of()
            core.put(item, 0.0)
            pending.add(item)
        elif step == "flush":
            flushes.append((core.begin_flush(), set(pending)))
        elif step == "send" and (command := core.poll(0.0)) is not None:
            assert isinstance(command, Send)
            sends.append(command)
        elif step == "answer" and sends:
            send = sends.pop()
            core.answered(send.send_id, stored(send), 0.0)
            pending -= set(send.units)
        for epoch, waited in flushes:
            assert core.ledger.is_flushed(epoch) == (not waited & pending)


# --------------------------------------------------------------------------------------- shards


def test_aggregation_without_the_right_to_list_shards_goes_plain() -> None:
    core = core_of(aggregation="per_shard")
    core.put(item_of(), 0.0)
    assert isinstance(core.poll(0.0), ListShards)
    core.listed(Failure(FailureKind.DENIED, "kinesis:ListShards", "denied"), 0.0)

    assert len(send_of(core, 1.0).units) == 1


def test_a_stream_that_is_not_there_says_so_under_aggregation_too() -> None:
    core = core_of(aggregation="per_shard")
    core.put(item_of(), 0.0)
    core.poll(0.0)
    core.listed(Failure(FailureKind.GONE, "kinesis:ListShards", "gone"), 0.0)

    (kept,) = core.ledger.take_kept()
    assert kept.failure.error_code == "ResourceNotFoundException"


def test_small_records_of_a_shard_travel_as_one() -> None:
    world = World(config=ProducerConfig(aggregation="per_shard"), shards=2)
    for number in range(1000):
        world.put(b"%d" % number, f"key-{number}")
    world.flush()

    assert sum(len(send) for send in world.sends) == 2
    assert world.core.ledger.counts.records == 1000
    assert sum(len(records) for records in world.stored().values()) == 1000


def test_the_map_of_shards_follows_a_split() -> None:
    world = World(config=ProducerConfig(aggregation="per_shard"), shards=1)
    for number in range(100):
        world.put(b"%d" % number, f"key-{number}")
    world.flush()
    world.split(world.open_shards()[0])
    world.run(2.0)
    for _ in range(2):
        for number in range(100):
            world.put(b"%d" % number, f"key-{number}")
        world.flush()
        world.run(2.0)

    assert len(world.sends[-1]) == 2, "one record for each child"


def test_a_rate_for_each_shard_is_kept() -> None:
    world = World(config=ProducerConfig(records_per_second_per_shard=10.0), shards=2)
    for number in range(100):
        world.put(b"", "a" if number % 2 else "b", str((number % 2) << 127))
    world.run(2.0)

    counts = {shard: len(records) for shard, records in world.stored().items()}
    assert all(19 <= count <= 22 for count in counts.values()), counts
