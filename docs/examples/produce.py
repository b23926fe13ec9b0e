"""The ways to put records; `kcl local -- python produce.py` runs them all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kcl_py import (
    AsyncProducer,
    Producer,
    ProducerConfig,
    PutFailed,
    PutFailure,
    RecordRefused,
    Undelivered,
)


@dataclass
class Person:
    name: str
    born: date
    worth: Decimal


# ------------------------------------------------------------------------------ put and forget
def put_and_forget(stream: str) -> None:
    with Producer(stream) as producer:
        for name in ("Ada", "Grace"):
            producer.put({"name": name, "age": 36}, key=name)
        producer.put(Person("Alan", date(1912, 6, 23), Decimal("-1.5")), key="Alan")
        producer.put(b"any bytes")  # no key: a random one


# ---------------------------------------------------------------------------------- many at once
def put_rows(producer: Producer, rows: list[dict[str, object]]) -> int:
    records = ((row, str(row["name"])) for row in rows)
    try:
        return len(producer.put_many(records))
    except RecordRefused as error:
        print("queued up to here:", error.index)
        raise


# ------------------------------------------------------------------------------ look at outcomes
def put_and_look(stream: str) -> None:
    with Producer(stream) as producer:
        delivery = producer.put({"name": "Ada"}, key="Ada")
        try:
            result = delivery.result(timeout=10.0)
            print(result.shard_id, result.sequence_number, result.attempts)
        except PutFailed as error:
            print(error.failure.error_code, error.failure.attempts)


# ------------------------------------------------------------------------- keep what was refused
def put_with_hook(stream: str) -> None:
    def keep(failure: PutFailure) -> None:
        print("not delivered:", failure.error_code, len(failure.data), "bytes")

    config = ProducerConfig(order="per_key", record_ttl=300.0, attempts=10)
    with Producer(stream, config=config, on_failure=keep) as producer:
        producer.put({"name": "Ada"}, key="Ada")


# --------------------------------------------------------------------- at the end of an invocation
def handle(producer: Producer, people: list[dict[str, object]]) -> int:
    for person in people:
        producer.put(person, key=str(person["name"]))
    failures = producer.flush(timeout=20.0)
    return len(failures)


# ------------------------------------------------------------------------------------------ close
def close_and_save(producer: Producer) -> list[PutFailure]:
    try:
        producer.close(timeout=30.0)
    except Undelivered as error:
        return list(error.failures)
    return []


# ---------------------------------------------------------------------------------------- asyncio
async def put_async(stream: str) -> None:
    config = ProducerConfig(aggregation="per_shard", linger=0.05)
    async with AsyncProducer(stream, config=config) as producer:
        delivery = await producer.put({"name": "Ada"}, key="Ada")  # waits for room
        result = await delivery  # waits for delivery
        print(result.shard_id)
        await producer.put_many([({"name": "Grace"}, "Grace")])


def main() -> None:
    import boto3

    from put_people import STREAM, make_stream

    make_stream(boto3.client("kinesis"), shards=2)
    put_and_forget(STREAM)
    put_and_look(STREAM)
    put_with_hook(STREAM)
    producer = Producer(STREAM)
    print(handle(producer, [{"name": "Ada"}, {"name": "Grace"}]), "failed")
    print(put_rows(producer, [{"name": "Alan"}, {"name": "Edsger"}]), "queued")
    print(len(close_and_save(producer)), "left")
    asyncio.run(put_async(STREAM))


if __name__ == "__main__":
    main()
