"""Every record exactly once in a database: the token and the position are stored beside the data.

Here with SQLite, so that it runs anywhere. For PostgreSQL see `sink_postgres.py`.
"""

from __future__ import annotations

import sqlite3

from kcl_py import Batch, LeaseLost, Position, RecordProcessor, ShardContext

TABLES = """
create table if not exists progress (
    stream text, shard text, token bigint, position text, primary key (stream, shard)
);
create table if not exists ledger (line text);
"""


class Ledger(RecordProcessor):
    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(TABLES)

    def initialize(self, shard: ShardContext) -> None:
        taken = self.db.execute(
            "insert into progress values (?, ?, ?, '0/0') on conflict (stream, shard) do update"
            " set token = excluded.token where progress.token <= excluded.token",
            (shard.stream_arn, shard.shard_id, shard.fencing_token),
        )
        if taken.rowcount != 1:
            raise LeaseLost("a newer owner was here already")

    def process_records(self, batch: Batch) -> None:
        key = (batch.shard.stream_arn, batch.shard.shard_id)
        self.db.execute("begin immediate")
        try:
            row = self.db.execute(
                "select position from progress where stream = ? and shard = ? and token = ?",
                (*key, batch.fencing_token),
            ).fetchone()
            if row is None:
                raise LeaseLost("a newer owner has fenced us out")
            done = Position.parse(row[0])
            for record in batch:
                if record.position > done:  # what a crash repeats is dropped here
                    self.db.execute("insert into ledger values (?)", (record.text(),))
                    done = record.position
            self.db.execute(
                "update progress set position = ? where stream = ? and shard = ?",
                (str(done), *key),
            )
            self.db.execute("commit")
        except BaseException:
            self.db.execute("rollback")
            raise

    def close(self) -> None:
        self.db.close()
