"""Does the asynchronous twin do the same, without ever holding up its loop?"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from kcl_py import (
    AsyncDelivery,
    AsyncProducer,
    BufferFull,
    ConfigError,
    ProducerConfig,
    PutFailed,
    RecordRefused,
    Undelivered,
)
from tests.producer.conftest import Stream

QUICK = ProducerConfig(linger=0.01)


def producer_of(stream: Stream, config: ProducerConfig = QUICK, **more: Any) -> AsyncProducer:
    return AsyncProducer(stream.name, config=config, session=stream.session, **more)


def test_what_was_put_is_there_after_the_block(stream: Stream) -> None:
    async def main() -> None:
        async with producer_of(stream) as producer:
            deliveries = [await producer.put({"n": n}, key=str(n)) for n in range(700)]
            results = await asyncio.gather(*deliveries)
            assert {result.attempts for result in results} == {1}
            assert all(delivery.done() for delivery in deliveries)
            assert await producer.flush() == []
            assert producer.counters().records == 700

    asyncio.run(main())
    assert {record.data for record in stream.records()} == {b'{"n":%d}' % n for n in range(700)}


def test_a_failure_is_raised_where_it_is_awaited(stream: Stream) -> None:
    async def main() -> None:
        producer = AsyncProducer("missing", config=QUICK, session=stream.session)
        delivery = await producer.put(b"x", key="k")
        with pytest.raises(PutFailed) as caught:
            await delivery
        with pytest.raises(PutFailed):
            await delivery
        assert await producer.flush() == [], caught.value.failure
        await producer.put(b"y", key="k")
        with pytest.raises(Undelivered) as left:
            await producer.close()
        assert [failure.data for failure in left.value.failures] == [b"y"]
        with pytest.raises(RuntimeError, match="closed"):
            await producer.put(b"z")
        await producer.close()

    asyncio.run(main())


def test_put_waits_for_room_and_the_loop_goes_on(stream: Stream) -> None:
    async def main() -> None:
        stream.faults({"kind": "delay", "seconds": 0.05})
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        config = replace(QUICK, buffer_bytes=64 * 1024, batch_records=10)
        async with producer_of(stream, config) as producer:

            async def work() -> None:
                for _ in range(100):
                    await producer.put(b"x" * 1000)
                    assert producer.counters().buffered_bytes <= 64 * 1024

            await asyncio.gather(work(), work(), work())
        ticking.cancel()
        assert ticks > 100

    asyncio.run(main())
    assert len(stream.records()) == 300


def test_a_put_that_is_cancelled_while_it_waits_queues_nothing(stream: Stream) -> None:
    async def main() -> None:
        stream.faults({"kind": "throttle"})
        producer = producer_of(stream, replace(QUICK, buffer_bytes=64 * 1024))
        deliveries: list[AsyncDelivery] = []

        async def put_for_ever() -> None:
            while True:
                deliveries.append(await producer.put(b"x" * 1000))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(put_for_ever(), 0.3)
        assert producer.counters().pending == len(deliveries)
        stream.faults()
        await producer.close()

    asyncio.run(main())


def test_a_full_buffer_raises_if_told_so(stream: Stream) -> None:
    async def main() -> None:
        stream.faults({"kind": "throttle"})
        config = replace(QUICK, buffer_bytes=64 * 1024, when_full="raise")
        producer = producer_of(stream, config)

        async def put_many() -> None:
            for _ in range(1000):
                await producer.put(b"x" * 1000)

        with pytest.raises(BufferFull):
            await put_many()
        stream.faults()
        await producer.close()

    asyncio.run(main())


def test_a_put_waits_for_room_as_long_as_told(stream: Stream) -> None:
    async def main() -> None:
        stream.faults({"kind": "throttle"})
        producer = producer_of(stream, replace(QUICK, buffer_bytes=64 * 1024, put_timeout=0.05))
        accepted = 0

        async def put_for_ever() -> None:
            nonlocal accepted
            while True:
                await producer.put(b"x" * 1000)
                accepted += 1

        with pytest.raises(BufferFull, match=r"put_timeout = 0.05 s; it was not queued"):
            await put_for_ever()
        assert producer.counters().pending == accepted > 40
        stream.faults()
        await producer.close()

    asyncio.run(main())


def test_bad_records_and_arguments_are_named(stream: Stream) -> None:
    async def main() -> None:
        async with producer_of(stream) as producer:
            with pytest.raises(RecordRefused, match="key is empty"):
                await producer.put(b"x", key="")
            with pytest.raises(RecordRefused, match="the stream takes"):
                await producer.put(b"x" * (11 * 1024 * 1024))

    with pytest.raises(ConfigError):
        producer_of(stream, on_failure="no function")
    with pytest.raises(ConfigError, match="neither a stream name"):
        AsyncProducer("no such name!")
    asyncio.run(main())


def test_a_producer_belongs_to_one_loop(stream: Stream) -> None:
    producer = producer_of(stream)

    async def put() -> None:
        await producer.put(b"x")

    asyncio.run(put())
    with pytest.raises(RuntimeError, match="one loop"):
        asyncio.run(put())
    asyncio.run(producer.close())


def test_a_producer_that_was_never_used_closes(stream: Stream) -> None:
    asyncio.run(producer_of(stream).close())
