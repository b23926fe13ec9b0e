"""How Archive and Ledger are tested: `pytest docs/examples` runs this."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from kcl_py import (
    Batch,
    LeaseConfig,
    LeaseLost,
    OnError,
    Record,
    Throttled,
    Worker,
    each_record,
)
from kcl_py.local import Engine
from kcl_py.testing import (
    CrashAfter,
    CrashAt,
    FakeClock,
    HandOffAfter,
    LoseLeaseAfter,
    LoseLeaseAt,
    Simulation,
    SplitAfter,
    ThrottleAfter,
    make_batch,
    make_record,
    moment,
    run_processor,
)

from archive import Archive
from ledger import Ledger

PEOPLE = [{"id": number, "name": "Ada"} for number in range(300)]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_ledger() -> Iterator[Callable[[], Ledger]]:
    with ExitStack() as opened:  # a process that dies in the simulation closes nothing

        def make() -> Ledger:
            ledger = Ledger("ledger.sqlite")
            opened.callback(ledger.close)
            return ledger

        yield make


def lines_of_ledger() -> list[str]:
    with closing(sqlite3.connect("ledger.sqlite")) as db:
        return [line for (line,) in db.execute("select line from ledger")]


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


def test_the_ledger_has_every_line_once(make_ledger: Callable[[], Ledger]) -> None:
    lines = [f"line {number}" for number in range(200)]

    run_processor(
        make_ledger,
        lines,
        incidents=[CrashAfter(records=70), LoseLeaseAfter(records=120)],
    )

    assert lines_of_ledger() == lines


# ------------------------------------------------------------------------------- many seeds
def test_nobody_is_missing_whatever_the_seed(kcl_simulation: Simulation) -> None:
    when = kcl_simulation.rng.randrange

    run = kcl_simulation(
        Archive,
        PEOPLE,
        incidents=[CrashAfter(records=when(300)), HandOffAfter(records=when(300))],
    )

    assert run.shard_ended
    assert set(archived()) == set(range(300))


# ------------------------------------------------------------------------------- at a moment
@pytest.mark.parametrize("when", ["checkpoint", "checkpoint returned"])
def test_a_crash_beside_the_checkpoint_repeats_one_buffer_at_most(
    when: str, kcl_simulation: Simulation
) -> None:
    kcl_simulation(Archive, PEOPLE, incidents=[CrashAt(moment=when, nth=2)])

    twice = 100 if when == "checkpoint" else 0
    assert len(archived()) == 300 + twice
    assert set(archived()) == set(range(300))


def test_an_old_owner_gets_nothing_into_the_ledger(
    kcl_simulation: Simulation, make_ledger: Callable[[], Ledger]
) -> None:
    lines = [f"line {number}" for number in range(50)]

    run = kcl_simulation(
        make_ledger,
        lines,
        incidents=[LoseLeaseAt(moment="process_records", nth=2)],
    )

    assert run.errors == ()
    assert lines_of_ledger() == lines


# ---------------------------------------------------------------------------- where it hurts
class Mails:
    """A double of a mail service that looks at the token."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.newest = 0

    def send(self, text: str, token: int) -> None:
        moment("send")  # a frozen owner is here, with the call under way
        if token < self.newest:
            raise LeaseLost("a newer owner sends mails now")
        self.newest = token
        self.sent.append(text)


def test_no_mail_is_sent_behind_the_new_owner(kcl_simulation: Simulation) -> None:
    mails = Mails()

    def send(batch: Batch) -> None:
        for record in batch:
            mails.send(record.text(), batch.fencing_token)

    run = kcl_simulation(
        send, ["a", "b", "c"], incidents=[LoseLeaseAt(moment="send", nth=2, until="processed")]
    )

    assert run.errors == ()
    assert mails.sent == ["a", "a", "b", "c"]  # b once: the old owner was refused


# --------------------------------------------------------------------- what fails for a while
def test_a_database_that_is_down_costs_nothing_but_time(kcl_simulation: Simulation) -> None:
    rows: list[str] = []
    failures = iter(range(7))

    @each_record
    def insert(record: Record) -> None:
        if len(rows) == 20 and next(failures, None) is not None:
            raise ConnectionError("down")
        rows.append(record.text())

    run = kcl_simulation(insert, [f"row {number}" for number in range(40)])

    assert len(run.errors) == 7
    assert rows == [f"row {number}" for number in range(40)]


def test_a_throttled_lease_table_repeats_nothing(kcl_simulation: Simulation) -> None:
    run = kcl_simulation(Archive, PEOPLE, incidents=[ThrottleAfter(records=95, seconds=5.0)])

    assert run.shard_ended
    assert all(isinstance(error, Throttled) for error in run.errors)
    assert sorted(archived()) == list(range(300))


# ------------------------------------------------------------------------------------- time
class Every:
    """True once per so many seconds."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.now, self.due = seconds, now, now()

    def __call__(self) -> bool:
        if self.now() < self.due:
            return False
        self.due = self.now() + self.seconds
        return True


def test_every_ten_seconds() -> None:
    clock = FakeClock()
    every = Every(10.0, clock.now)
    assert every()

    clock.advance(9.0)
    assert not every()
    clock.advance(1.0)
    assert every()


# --------------------------------------------------------------------- a worker on the engine
def test_a_worker_archives_a_stream(kcl_engine: Engine) -> None:
    kinesis = kcl_engine.session().client("kinesis")
    kinesis.create_stream(StreamName="people", ShardCount=1)
    config = replace(kcl_engine.config(), leases=LeaseConfig(duration=3.0))
    worker = Worker(app_name="test", stream="people", processor=Archive, config=config)
    with worker:  # starts in the background; leaving the block drains it
        while worker.status().state != "running":
            time.sleep(0.05)
        for one in PEOPLE[:10]:
            data = json.dumps(one).encode()
            kinesis.put_record(StreamName="people", Data=data, PartitionKey="a")
        while not Path("archive").exists() or len(archived()) < 10:
            time.sleep(0.05)
    assert sorted(archived()) == list(range(10))
