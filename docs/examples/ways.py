"""The ways to write a processor; `kcl run ways:NAME` runs each of them."""

from __future__ import annotations

import asyncio
import functools
import os
import sqlite3
from dataclasses import dataclass

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    Batch,
    Record,
    RecordFailed,
    RecordProcessor,
    each_record,
)


# ---------------------------------------------------------------------- a function of one batch
def count(batch: Batch) -> None:
    print(len(batch), "people from", batch.shard.shard_id)


# --------------------------------------------------------------------- a function of one record
@each_record
def greet(record: Record) -> None:
    print(f"hello {record.json()['name']}")


# ------------------------------------------------------------ a class that needs something made
@dataclass
class Person:
    name: str
    age: int


class Ages(RecordProcessor):
    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path)  # one per shard; used by one thread only
        self.db.execute("create table if not exists ages (age integer)")

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            person = record.json(Person)  # not such JSON: RecordDecodeError names the position
            if person.age < 0:
                raise RecordFailed(record, "negative age", retry=False)
            with self.db:
                self.db.execute("insert into ages values (?)", (person.age,))

    def close(self) -> None:  # always the last call, however it ended
        self.db.close()


ages = functools.partial(Ages, path=os.environ.get("AGES", "ages.sqlite"))


# ------------------------------------------------------------------------------------ async def
async def send(lines: list[str]) -> None:
    await asyncio.sleep(0)  # your own client here


class Sender(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        lines = [record.text() for record in batch]
        async with asyncio.timeout(batch.shard.seconds_left()):
            await send(lines)
