"""How old are people on average? The processor that the demo runs, as a user would write it.

Every record is stored under its place in the stream, so that one that comes twice after a crash
counts once: at least once, plus a sink that knows positions, is exactly once.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kcl_py import Batch, RecordProcessor, ShardContext

DATABASE_VARIABLE: Final = "KCL_DEMO_DATABASE"
_BUSY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Person:
    """What the producer writes."""

    number: int
    name: str
    age: int
    city: str


def connect(path: Path) -> sqlite3.Connection:
    """Open the demo's database; safe from any number of processes."""
    database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = off")  # A demo outlives no power cut.
    database.execute(
        "create table if not exists people"
        " (shard text, sequence_number text, sub int, age int,"
        " primary key (shard, sequence_number, sub)) without rowid"
    )
    return database


class PeopleAverage(RecordProcessor):
    """Stores ages by position; the average over all shards is one query."""

    def initialize(self, shard: ShardContext) -> None:
        """Connect: one connection per shard, because each has a thread of its own."""
        self._shard_id = shard.shard_id
        self._database = connect(Path(os.environ[DATABASE_VARIABLE]))

    def process_records(self, batch: Batch) -> None:
        """Store the whole batch, or nothing of it."""
        rows = [
            (
                self._shard_id,
                record.sequence_number,
                record.sub_sequence_number,
                record.json(Person).age,
            )
            for record in batch
        ]
        batch.shard.ensure_owner()
        with self._database:
            self._database.execute("begin immediate")
            self._database.executemany("insert or ignore into people values (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Free the connection, also when `initialize` failed."""
        database = getattr(self, "_database", None)
        if database is not None:
            database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What all workers together have stored.

    Attributes:
        count: Different records.
        ages: Their sum of ages.
    """

    count: int
    ages: int

    @property
    def average(self) -> float:
        """Zero while there is nothing."""
        return self.ages / self.count if self.count else 0.0


def read_sum(database: sqlite3.Connection) -> Sum:
    """Ask the database."""
    count, ages = database.execute("select count(*), coalesce(sum(age), 0) from people").fetchone()
    return Sum(count=count, ages=ages)
