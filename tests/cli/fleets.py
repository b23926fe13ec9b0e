"""How does a test of repair get a fleet? Real workers in this process, at the engine."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3.session

from kcl_py import Batch, LeaseConfig, PollingConfig, RecordProcessor, Worker, WorkerConfig
from kcl_py.aws.tools import scan_rows
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.errors import LeaseTableError

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05
DURATION = 3.0


def eventually(holds: Callable[[], Any]) -> Any:
    """Look until something is so; return it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < end, "it has not become so"
        time.sleep(LOOK_SECONDS)
    return found


@dataclass
class App:
    """One application with a stream of its own, and what its workers delivered."""

    url: str
    clients: Mapping[str, Any]
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")
    seen: list[tuple[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def create_stream(self, shards: int) -> None:
        """Make the stream, and let processors run."""
        kinesis = self.clients["kinesis"]
        kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 0.05})
        self.gate.set()

    def put(self, *texts: str) -> list[tuple[str, str]]:
        """Put records, each its own key; return shard and sequence number of each."""
        answers = [
            self.clients["kinesis"].put_record(
                StreamName=self.name, Data=text.encode(), PartitionKey=text
            )
            for text in texts
        ]
        return [(answer["ShardId"], answer["SequenceNumber"]) for answer in answers]

    def worker(self, **leases: Any) -> Worker:
        """A worker that notes what it is given; not started."""
        app = self

        class Noting(RecordProcessor):
            def initialize(self, shard: Any) -> None:
                self.shard_id = shard.shard_id

            def process_records(self, batch: Batch) -> None:
                for record in batch:
                    app.gate.wait(PATIENCE_SECONDS)
                    app.seen.append((self.shard_id, record.text()))

        return Worker(
            app_name=self.name,
            stream=self.name,
            processor=Noting,
            session=boto3.session.Session(
                aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1"
            ),
            config=WorkerConfig(
                leases=LeaseConfig(**{"duration": DURATION, "settle": 0.5, **leases}),
                reading=PollingConfig(idle_interval=0.2),
                kinesis_endpoint_url=self.url,
                dynamodb_endpoint_url=self.url,
            ),
        )

    def rows(self) -> dict[str, LeaseRow]:
        """Lease rows as they are now; none if there is no table yet."""
        try:
            rows = scan_rows(self.clients["dynamodb"], self.name)
        except LeaseTableError:
            return {}
        return {row.key: row for row in rows if isinstance(row, LeaseRow)}

    def texts(self) -> list[str]:
        """What was delivered, in order."""
        return [text for _, text in self.seen]

    @property
    def is_synced(self) -> bool:
        """Every lease has an owner."""
        rows = self.rows()
        return bool(rows) and all(row.actual_owner for row in rows.values())

    def run_until(self, holds: Callable[[], Any]) -> None:
        """Run one worker until something is so, and stop it cleanly."""
        with self.worker():
            eventually(holds)


def rows_of(out: str, key: str = "shard") -> dict[str, dict[str, Any]]:
    """Rows of JSON lines, or of an array, by one field."""
    text = out.strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(x) for x in text.splitlines()]
    return {row[key]: row for row in rows}
