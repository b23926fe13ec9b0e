"""Every line exactly once in PostgreSQL: token and position are written with the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import psycopg
from kcl_py import (
    Batch,
    Checkpointing,
    LeaseLost,
    Position,
    Record,
    RecordProcessor,
    ShardContext,
)

TABLES = """
create table if not exists progress (
    stream text, shard text, token bigint, position text, primary key (stream, shard)
);
create table if not exists ledger (number bigserial, line text);
"""

ANNOUNCE = """
insert into progress values (%(stream)s, %(shard)s, %(token)s, '0/0')
on conflict (stream, shard) do update set token = excluded.token
where progress.token <= excluded.token
returning position
"""

ADVANCE = """
update progress set position = %(position)s
where stream = %(stream)s and shard = %(shard)s
and token = %(token)s and position = %(done)s
"""

# A frozen owner must not keep its row locks for as long as it is frozen.
OPTIONS = "-c idle_in_transaction_session_timeout=5s"


class PostgresLedger(RecordProcessor):
    # After an error there is a fresh object: a fresh connection, which reads the position anew.
    checkpointing: ClassVar[Checkpointing] = "explicit"

    def __init__(self, dsn: str) -> None:
        self.db = psycopg.connect(dsn, options=OPTIONS, autocommit=True)

    def initialize(self, shard: ShardContext) -> None:
        self.facts = {
            "stream": shard.stream_arn,
            "shard": shard.shard_id,
            "token": shard.fencing_token,
        }
        row = self.db.execute(ANNOUNCE, self.facts).fetchone()
        if row is None:
            raise LeaseLost("a newer owner was here already")
        self.done = Position.parse(row[0])

    def process_records(self, batch: Batch) -> None:
        fresh = [record for record in batch if record.position > self.done]
        if fresh:
            self.write(fresh)
        batch.checkpoint(wait=False)  # what the sink knows already may be told late

    def write(self, records: Sequence[Record]) -> None:
        last = records[-1].position
        facts = {**self.facts, "position": str(last), "done": str(self.done)}
        with self.db.transaction():
            if self.db.execute(ADVANCE, facts).rowcount != 1:
                raise LeaseLost("a newer owner has fenced us out")
            lines = [(record.text(),) for record in records]
            self.db.cursor().executemany("insert into ledger (line) values (%s)", lines)
        self.done = last

    def shard_ended(self, shard: ShardContext) -> None:
        shard.checkpoint()

    def close(self) -> None:
        self.db.close()
