"""How Archive and Ledger are tested: `pytest docs/examples` runs this."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from kcl_py import LeaseConfig, LeaseLost, OnError, Record, Worker, each_record
from kcl_py.local import Engine
from kcl_py.testing import (
    CrashAfter,
    HandOffAfter,
    LoseLeaseAfter,
    SplitAfter,
    make_batch,
    make_record,
    run_processor,
)

from archive import Archive
from ledger import Ledger

PEOPLE = [{"id": number, "name": "Ada"} for number in range(300)]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def archived() -> list[int]:
    lines = [line for path in Path("archive").iterdir() for line in path.read_text().splitlines()]
    return [json.loads(line)["id"] for line in lines]


# ---------------------------------------------------------------------------------- one batch
def test_a_full_buffer_is_written_and_checkpointed() -> None:
    batch, checkpoints = make_batch(PEOPLE[:150])
    processor = Archive()
    processor.initialize(batch.shard)

    processor.process_records(batch)

    assert len(archived()) == 100
    assert checkpoints.last == batch[99].position


def test_nothing_is_checkpointed_once_the_lease_is_lost() -> None:
    batch, checkpoints = make_batch(PEOPLE[:150], lose_lease_after=50)
    processor = Archive()
    processor.initialize(batch.shard)

    with pytest.raises(LeaseLost):
        processor.process_records(batch)

    assert checkpoints.last is None


# -------------------------------------------------------------------------------- a whole life
def test_nobody_is_missing_whatever_happens() -> None:
    run = run_processor(
        Archive,
        PEOPLE,
        incidents=[
            HandOffAfter(records=40),
            CrashAfter(records=130),
            LoseLeaseAfter(records=190),
            SplitAfter(records=250),
        ],
    )

    assert run.shard_ended, run.transcript
    assert run.errors == ()
    assert set(archived()) == set(range(300))


def test_a_poison_record_is_named_and_those_before_it_are_finished() -> None:
    @each_record
    def read(record: Record) -> None:
        record.json()

    run = run_processor(read, [{}, make_record(b"not json"), {}], on_error=OnError(attempts=3))

    assert not run.shard_ended
    assert run.finished == run.records[0].position


def test_the_ledger_has_every_line_once() -> None:
    lines = [f"line {number}" for number in range(200)]

    run_processor(
        lambda: Ledger("ledger.sqlite"),
        lines,
        incidents=[CrashAfter(records=70), LoseLeaseAfter(records=120)],
    )

    rows = sqlite3.connect("ledger.sqlite").execute("select line from ledger").fetchall()
    assert [line for (line,) in rows] == lines


# --------------------------------------------------------------------- a worker on the engine
def test_a_worker_archives_a_stream() -> None:
    with Engine() as engine:
        kinesis = engine.session().client("kinesis")
        kinesis.create_stream(StreamName="people", ShardCount=1)
        config = replace(engine.config(), leases=LeaseConfig(duration=3.0))
        worker = Worker(
            app_name="test",
            stream="people",
            processor=Archive,
            config=config,
            session=engine.session(),
        )
        with worker:  # starts in the background; leaving the block drains it
            while worker.status().state != "running":
                time.sleep(0.05)
            for one in PEOPLE[:10]:
                data = json.dumps(one).encode()
                kinesis.put_record(StreamName="people", Data=data, PartitionKey="a")
            while not Path("archive").exists() or len(archived()) < 10:
                time.sleep(0.05)
        assert sorted(archived()) == list(range(10))
