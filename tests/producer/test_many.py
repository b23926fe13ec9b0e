"""Does `put_many` do what as many `put` would do, to the record at which something goes wrong?"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from kcl_py import (
    AsyncProducer,
    BufferFull,
    Delivery,
    Producer,
    ProducerConfig,
    PutFailure,
    RecordRefused,
)
from kcl_py.producer.core.units import Item
from tests.producer.conftest import Stream
from tests.producer.test_core_faults import (
    CASES,
    SEEDS,
    by_key,
    check_nothing_is_lost,
    config_of,
    first_arrivals,
    troubled,
)
from tests.producer.world import World

QUICK = ProducerConfig(linger=0.01)
SECONDS_MAX = 30.0
MIXED: list[tuple[object, str | None]] = [
    (b"bytes", "a"),
    ("né", "ü"),
    ({"n": 1}, "b"),
    (b"no key", None),
    (bytearray(b"array"), "k" * 256),
]
STORED = [b"bytes", "né".encode(), b'{"n":1}', b"no key", b"array"]


def producer_of(stream: Stream, config: ProducerConfig = QUICK) -> Producer:
    return Producer(stream.name, config=config, session=stream.session)


def put_many(stream: Stream, records: Any, config: ProducerConfig, twin: str) -> list[int]:
    """Put them by one of the twins and wait; return how often each was sent."""
    if twin == "threads":
        with producer_of(stream, config) as producer:
            deliveries = producer.put_many(records)
            return [delivery.result(SECONDS_MAX).attempts for delivery in deliveries]

    async def main() -> list[int]:
        async with AsyncProducer(stream.name, config=config, session=stream.session) as producer:
            deliveries = await producer.put_many(records)
            return [result.attempts for result in await asyncio.gather(*deliveries)]

    return asyncio.run(main())


def datas(stream: Stream) -> list[bytes]:
    return [record.data for record in stream.records()]


@pytest.mark.parametrize("twin", ["threads", "loop"])
@pytest.mark.parametrize("order", ["none", "per_key"])
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_all_are_put_each_as_by_itself(
    stream: Stream, twin: str, order: Any, aggregation: Any
) -> None:
    config = ProducerConfig(linger=0.01, order=order, aggregation=aggregation)
    numbers = [(b"%d" % number, "key") for number in range(1_234)]

    attempts = put_many(stream, iter([*numbers, *MIXED]), config, twin)

    assert attempts == [1] * (1_234 + len(MIXED))
    of_key = [int(record.data) for record in stream.records() if record.partition_key == "key"]
    assert sorted(of_key) == list(range(1_234))
    if order == "per_key":
        assert of_key == sorted(of_key)
    assert {data for data in datas(stream) if not data.isdigit()} == set(STORED)


@pytest.mark.parametrize("twin", ["threads", "loop"])
@pytest.mark.parametrize("place", [0, 3, 499, 500, 777])
def test_a_record_that_cannot_be_put_is_named_and_all_before_it_are_queued(
    stream: Stream, twin: str, place: int
) -> None:
    good = [(b"%d" % number, f"key-{number}") for number in range(1_000)]
    records = [*good[:place], (b"bad", ""), *good[place:]]

    with pytest.raises(RecordRefused, match=rf"key is empty.*record {place} of put_many") as told:
        put_many(stream, records, QUICK, twin)

    assert told.value.index == place
    assert sorted(map(int, datas(stream))) == list(range(place))


@pytest.mark.parametrize("twin", ["threads", "loop"])
def test_what_records_raises_comes_through_after_those_before_it(stream: Stream, twin: str) -> None:
    def records() -> Iterator[tuple[bytes, str]]:
        for number in range(700):
            yield b"%d" % number, "k"
        raise OSError("the file broke")

    with pytest.raises(OSError, match="the file broke") as told:
        put_many(stream, records(), QUICK, twin)

    assert "record 700 of put_many" in told.value.__notes__[0]
    assert len(datas(stream)) == 700


@pytest.mark.parametrize("twin", ["threads", "loop"])
def test_without_room_it_waits_or_names_the_first_that_has_none(stream: Stream, twin: str) -> None:
    records = [(bytes(600), f"key-{number}") for number in range(1_500)]
    small = ProducerConfig(linger=0.01, buffer_bytes=64 * 1024)
    assert len(put_many(stream, records, small, twin)) == 1_500
    assert len(datas(stream)) == 1_500

    refusing = ProducerConfig(linger=5.0, buffer_bytes=64 * 1024, when_full="raise")
    with pytest.raises(BufferFull, match="of put_many") as told:
        put_many(stream, records, refusing, twin)
    assert told.value.index is not None
    assert 50 < told.value.index < 70
    assert len(datas(stream)) == 1_500 + told.value.index


@pytest.mark.parametrize("twin", ["threads", "loop"])
def test_a_large_record_is_checked_in_its_turn(stream: Stream, twin: str) -> None:
    config = ProducerConfig(linger=0.01, order="per_key")
    too_large = bytes(1024 * 1024)  # with its key
    records = [(b"0", "k"), (b"1", "k"), (too_large, "k"), (b"3", "k")]

    with pytest.raises(RecordRefused, match="the stream takes 1048576") as told:
        put_many(stream, records, config, twin)

    assert told.value.index == 2
    assert datas(stream) == [b"0", b"1"]


def test_a_closed_producer_takes_none(stream: Stream) -> None:
    producer = producer_of(stream)
    producer.close()

    with pytest.raises(RuntimeError, match="closed"):
        producer.put_many([(b"x", "k")])


def test_none_at_all_is_fine(stream: Stream) -> None:
    with producer_of(stream) as producer:
        assert list(producer.put_many([])) == []


def test_threads_share_a_producer(stream: Stream) -> None:
    with producer_of(stream) as producer:
        threads = [
            threading.Thread(
                target=producer.put_many,
                args=([(b"%d/%d" % (place, n), f"{place}") for n in range(800)],),
            )
            for place in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(set(datas(stream))) == 3_200


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_record_of_a_page_is_delivered_or_handed_back(case: Any, seed: int) -> None:
    rng = random.Random(f"many/{case}/{seed}")
    world = World(config=config_of(*case), seed=seed, troubles=troubled(rng))
    datas: dict[int, bytes] = {}
    counts = [0] * 8
    for _ in range(25):
        page: list[Item] = []
        for _ in range(rng.choice([1, 3, 60])):
            place = rng.randrange(8)
            counts[place] += 1
            data = f"{place}/{counts[place]}/".encode().ljust(rng.choice([10, 300]), b".")
            page.append(Item(data, f"key-{place}", None, len(data) + 5))
            datas[id(page[-1])] = data
        assert world.put_first(page) == len(page)
        if rng.random() < 0.3:
            world.run(rng.expovariate(2.0))
        if rng.random() < 0.1:
            world.split(rng.choice(world.open_shards()))

    failed = world.flush()

    check_nothing_is_lost(world, failed, datas)
    if case[0] == "per_key" and not world.troubles.late:
        for records in by_key(world.stored()).values():
            numbers = first_arrivals(records)
            assert numbers == sorted(numbers)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_page_without_room_is_taken_up_to_there(case: Any) -> None:
    config = ProducerConfig(order=case[0], aggregation=case[1], buffer_bytes=64 * 1024)
    world = World(config=config)
    page = [Item(bytes(1_000), "k", None, 1_001) for _ in range(500)]

    count = world.put_first(page)

    assert 20 < count < 50
    assert world.core.ledger.used <= config.buffer_bytes
    assert not world.core.put(page[count], world.now)
    assert world.flush() == []
    assert sum(len(records) for records in world.stored().values()) == count


def test_deliveries_keep_nothing_alive_after_the_end(stream: Stream) -> None:
    """The garbage collector does not look into them, so that no circle may lead through them."""

    class Program:
        def __init__(self) -> None:
            self.failures: list[PutFailure] = []
            config = ProducerConfig(linger=0.01, attempts=1)
            self.producer = Producer(
                "missing", config=config, session=stream.session, on_failure=self.failed
            )
            self.deliveries: list[Delivery] = [self.producer.put(b"x", key="k")]
            self.deliveries += self.producer.put_many([(b"y", "k")])
            self.deliveries[0].add_done_callback(self.ended)

        def ended(self, delivery: Delivery) -> None:
            self.deliveries.append(delivery)

        def failed(self, failure: PutFailure) -> None:
            self.failures.append(failure)

    program = Program()
    program.producer.flush()
    program.producer.close()
    assert len(program.failures) == 2
    gone: list[Any] = [weakref.ref(program), weakref.ref(program.producer)]
    del program
    gc.collect()

    assert [each() for each in gone] == [None, None]
