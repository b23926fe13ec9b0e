"""What becomes of one poison record among 10,000? Real workers on the embedded engine.

Nothing else is lost, order is kept, and nothing passes the record before its letter is durable.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from kcl_py import (
    AsyncBatch,
    Backoff,
    Batch,
    DeadLetter,
    OnError,
    PollingConfig,
    RecordFailed,
    RecordProcessor,
    WorkerConfig,
    WorkerEvent,
    each_record,
)
from kcl_py.dead_letters.file_store import FileStore
from kcl_py.local import Engine
from kcl_py.processor import Checkpointing, ProcessorLike
from kcl_py.records import Position, Record
from tests.shell.test_end_to_end import Stream

COUNT = 10_000
POISON = b"7777"
QUICK = Backoff(first=0.005, longest=0.05)


class Poisoned(Exception):
    """What the processor says of the poison record."""


class Work:
    """Work to which one record is poison.

    Attributes:
        done: What was processed, in order, with repetitions.
        is_mended: The poison is none any more.
    """

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.is_mended = False

    def do(self, record: Record) -> None:
        if record.data == POISON and not self.is_mended:
            raise Poisoned("cannot be processed")
        self.done.append(record.data)

    @property
    def firsts(self) -> list[bytes]:
        """What was processed, each once, in the order of the first times."""
        return list(dict.fromkeys(self.done))


def in_batches(work: Work) -> ProcessorLike:
    """A function of a batch, which does not say which record it was."""

    def process(batch: Batch) -> None:
        for record in batch:
            work.do(record)

    return process


def one_by_one(work: Work) -> ProcessorLike:
    return each_record(work.do)


def on_the_loop(work: Work) -> ProcessorLike:
    async def process(batch: AsyncBatch) -> None:
        for record in batch:
            work.do(record)

    return process


def with_checkpoints_of_its_own(work: Work) -> ProcessorLike:
    class Explicit(RecordProcessor):
        """Checkpoints each hundred records, and names the one that fails."""

        checkpointing: ClassVar[Checkpointing] = "explicit"

        def process_records(self, batch: Batch) -> None:
            for number, record in enumerate(batch, 1):
                try:
                    work.do(record)
                except Poisoned as error:
                    raise RecordFailed(record) from error
                if number % 100 == 0:
                    batch.checkpoint(record, wait=False)
            batch.checkpoint(wait=False)

    return Explicit


FORMS = [in_batches, one_by_one, on_the_loop, with_checkpoints_of_its_own]
TWO_FORMS = [in_batches, with_checkpoints_of_its_own]
Form = Callable[[Work], ProcessorLike]


class Sink:
    """Keeps letters; may be told to fail.

    Attributes:
        calls: How often it was called.
    """

    def __init__(self, *, fails: bool = False) -> None:
        self.letters: list[DeadLetter] = []
        self.fails = fails
        self.calls = 0

    def write(self, letters: Sequence[DeadLetter]) -> None:
        self.calls += 1
        if self.fails:
            raise OSError("the disk is full")
        self.letters += letters


@pytest.fixture
def stream() -> Iterator[Stream]:
    with Engine(limits=False) as engine:
        stream = Stream(engine)
        stream.create(1)
        for _ in range(COUNT // 500):
            stream.put(500)
        yield stream


def config(stream: Stream, policy: OnError) -> WorkerConfig:
    # All that is there comes in one page, so that the poison is one among ten thousand in a batch.
    reading = PollingConfig(idle_interval=0.2)
    return replace(stream.config(), on_error=policy, reading=reading)


def checkpoint(stream: Stream) -> Position | None:
    for row in stream.rows():
        return row.checkpoint if isinstance(row.checkpoint, Position) else None
    return None


def place_of(stream: Stream, data: bytes) -> Position:
    """Where a record is, as the engine numbers them."""
    iterator = stream.kinesis.get_shard_iterator(
        StreamName="people", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while True:
        page = stream.kinesis.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if record["Data"] == data:
                return Position(record["SequenceNumber"])
        iterator = page["NextShardIterator"]


def without_poison(stream: Stream) -> list[bytes]:
    return [data for data in stream.written if data != POISON]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_dead_letter_is_all_that_is_missing(stream: Stream, form: Form) -> None:
    work, sink, events = Work(), Sink(), list[WorkerEvent]()
    policy = OnError(attempts=2, backoff=QUICK, then="dead_letter", dead_letters=sink)
    last = place_of(stream, stream.written[-1])

    worker = stream.worker(form(work), config=config(stream, policy), on_event=events.append)
    with worker:
        stream.wait_until(lambda: set(without_poison(stream)) <= set(work.done))
        stream.wait_until(lambda: checkpoint(stream) == last)
        stream.wait_until(lambda: worker.status().healthy)
        assert [shard.given_up for shard in worker.status().shards.values()] == [1]

    assert work.firsts == without_poison(stream)
    (letter,) = sink.letters
    assert letter.record.data == POISON
    assert letter.record.partition_key == POISON.decode()
    assert letter.record.position == place_of(stream, POISON)
    assert letter.record.arrival_time.year >= 2020
    assert letter.app_name == "demo"
    assert letter.stream_arn.endswith("stream/people")
    assert letter.shard_id == "shardId-000000000000"
    assert letter.attempts == 2
    assert letter.error_type == "Poisoned"
    assert letter.error_message == "cannot be processed"
    assert letter.failed_at.utcoffset() is not None
    (told,) = [event for event in events if event.name == "record.dead_lettered"]
    assert told.fields["position"] == str(letter.record.position)
    assert POISON.decode() not in str({**told.fields, "position": ""})


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_nothing_passes_while_the_sink_fails(stream: Stream, form: Form) -> None:
    work, sink = Work(), Sink(fails=True)
    policy = OnError(attempts=2, backoff=QUICK, then="dead_letter", dead_letters=sink)
    poison, last = place_of(stream, POISON), place_of(stream, stream.written[-1])
    before = stream.written[: stream.written.index(POISON)]

    with stream.worker(form(work), config=config(stream, policy)) as worker:
        stream.wait_until(lambda: sink.calls >= 5)
        (shard,) = worker.status().shards.values()
        assert shard.state == "retrying"
        assert shard.last_error == "OSError: the disk is full"
        assert not worker.status().healthy
        assert set(work.done) == set(before)
        assert shard.finished is None or shard.finished < poison
        at = checkpoint(stream)
        assert at is None or at < poison
        calls = sink.calls
        stream.wait_until(lambda: sink.calls > calls)
        sink.fails = False
        stream.wait_until(lambda: checkpoint(stream) == last)
        stream.wait_until(lambda: worker.status().healthy)

    assert work.firsts == without_poison(stream)
    assert [letter.record.data for letter in sink.letters] == [POISON]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_skip_goes_on_and_says_so(stream: Stream, form: Form) -> None:
    work, events = Work(), list[WorkerEvent]()
    policy = OnError(attempts=2, backoff=QUICK, then="skip")
    last = place_of(stream, stream.written[-1])

    with stream.worker(form(work), config=config(stream, policy), on_event=events.append):
        stream.wait_until(lambda: checkpoint(stream) == last)

    assert work.firsts == without_poison(stream)
    (told,) = [event for event in events if event.name == "record.skipped"]
    assert told.lease_key == "shardId-000000000000"
    assert told.fields["position"] == str(place_of(stream, POISON))
    assert "Poisoned" in str(told.fields["error"])


@pytest.mark.parametrize("form", TWO_FORMS, ids=lambda form: form.__name__)
def test_retry_waits_for_the_poison_to_be_none(stream: Stream, form: Form) -> None:
    work = Work()
    policy = OnError(attempts=2, backoff=QUICK)
    poison, last = place_of(stream, POISON), place_of(stream, stream.written[-1])

    with stream.worker(form(work), config=config(stream, policy)) as worker:
        stream.wait_until(lambda: any(s.attempt > 5 for s in worker.status().shards.values()))
        assert not worker.status().healthy
        at = checkpoint(stream)
        assert at is None or at < poison
        work.is_mended = True
        stream.wait_until(lambda: checkpoint(stream) == last)
        stream.wait_until(lambda: worker.status().healthy)

    assert work.firsts == stream.written


@pytest.mark.parametrize("form", TWO_FORMS, ids=lambda form: form.__name__)
def test_pause_waits_for_somebody(stream: Stream, form: Form) -> None:
    work, events = Work(), list[WorkerEvent]()
    policy = OnError(attempts=2, backoff=QUICK, then="pause")
    last = place_of(stream, stream.written[-1])

    worker = stream.worker(form(work), config=config(stream, policy), on_event=events.append)
    with worker:
        stream.wait_until(lambda: any(row.paused for row in stream.rows()))
        (shard,) = worker.status().shards.values()
        assert shard.state == "paused"
        assert not worker.status().healthy
        work.is_mended = True
        resume(stream)
        stream.wait_until(lambda: checkpoint(stream) == last)

    assert work.firsts == stream.written
    assert {"shard.paused", "shard.resumed"} <= {event.name for event in events}


def resume(stream: Stream) -> None:
    """Take the mark out of the row: neither counter nor owner is touched."""
    stream.engine.session().client("dynamodb").update_item(
        TableName="demo",
        Key={"leaseKey": {"S": "shardId-000000000000"}},
        UpdateExpression="REMOVE kclPaused",
    )


def test_what_no_retry_can_mend_goes_straight_to_the_sink(stream: Stream) -> None:
    work, sink = Work(), Sink()
    policy = OnError(
        attempts=1_000, then="dead_letter", dead_letters=sink.write, give_up_on=(Poisoned,)
    )
    last = place_of(stream, stream.written[-1])

    with stream.worker(in_batches(work), config=config(stream, policy)):
        stream.wait_until(lambda: checkpoint(stream) == last)

    assert work.firsts == without_poison(stream)
    assert [(one.record.data, one.attempts) for one in sink.letters] == [(POISON, 1)]


def test_an_explicit_processor_that_names_no_record_is_retried(stream: Stream) -> None:
    work, sink = Work(), Sink()
    policy = OnError(attempts=2, backoff=QUICK, then="dead_letter", dead_letters=sink)

    class Explicit(RecordProcessor):
        """Says nothing of what failed."""

        checkpointing: ClassVar[Checkpointing] = "explicit"

        def process_records(self, batch: Batch) -> None:
            for record in batch:
                work.do(record)
            batch.checkpoint(wait=False)

    last = place_of(stream, stream.written[-1])
    with stream.worker(Explicit, config=config(stream, policy)) as worker:
        stream.wait_until(lambda: any(s.attempt > 5 for s in worker.status().shards.values()))
        assert sink.calls == 0
        assert checkpoint(stream) is None
        work.is_mended = True
        stream.wait_until(lambda: checkpoint(stream) == last)

    assert work.firsts == stream.written


def test_a_dead_letter_is_redriven_and_processed(stream: Stream, tmp_path: Path) -> None:
    """The whole way: from the poison record to a file, and from there into the mended processor."""
    work, path = Work(), tmp_path / "dead.jsonl"
    policy = OnError(attempts=2, backoff=QUICK, then="dead_letter", dead_letters=f"file:{path}")
    last = place_of(stream, stream.written[-1])
    before = without_poison(stream)
    with stream.worker(in_batches(work), config=config(stream, policy)):
        stream.wait_until(lambda: checkpoint(stream) == last)
        assert work.firsts == before
        work.is_mended = True
        store = FileStore(path)
        (stored,) = store.read()
        assert stored.letter is not None
        arguments = ["dlq", "redrive", str(path), "--endpoint-url", stream.engine.endpoint_url]
        environment = {**os.environ, **stream.engine.environment}
        typed = subprocess.run(
            [sys.executable, "-m", "kcl_py", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (typed.returncode, typed.stdout) == (0, "1 delivered, 0 kept\n"), typed.stderr
        stream.wait_until(lambda: POISON in work.done)

    assert work.firsts == [*before, POISON]
    assert list(store.read()) == []


def test_a_sink_that_hangs_is_fenced_and_its_late_answer_is_ignored(stream: Stream) -> None:
    """The next owner, this one again, writes the letter once more."""
    work, entered, may_go = Work(), threading.Event(), threading.Event()
    letters: list[DeadLetter] = []

    def sink(given: Sequence[DeadLetter]) -> None:
        letters.extend(given)
        if not entered.is_set():
            entered.set()
            may_go.wait()

    policy = OnError(attempts=1, backoff=QUICK, then="dead_letter", dead_letters=sink)
    settings = config(stream, policy)
    settings = replace(settings, delivery=replace(settings.delivery, hung_after=0.5))
    poison, last = place_of(stream, POISON), place_of(stream, stream.written[-1])
    events: list[WorkerEvent] = []
    worker = stream.worker(one_by_one(work), config=settings, on_event=events.append)
    with worker:
        stream.wait_until(entered.is_set)
        stream.wait_until(lambda: "lease.lost" in {event.name for event in events})
        at = checkpoint(stream)
        assert at is None or at < poison
        may_go.set()
        stream.wait_until(lambda: checkpoint(stream) == last)

    assert [letter.record.position for letter in letters] == [poison, poison]
    assert work.firsts == without_poison(stream)
    assert {"processor.hung", "worker.stacks_dumped"} <= {event.name for event in events}


def test_a_sink_that_returns_an_awaitable_has_written_nothing(stream: Stream) -> None:
    async def later() -> None:
        """Never awaited."""

    calls: list[int] = []

    def sink(letters: Sequence[DeadLetter]) -> object:
        calls.append(len(letters))
        made = later()
        made.close()
        return made

    policy = OnError(attempts=1, backoff=QUICK, then="dead_letter", dead_letters=sink)  # type: ignore[arg-type]  # that is the point

    with stream.worker(one_by_one(Work()), config=config(stream, policy)) as worker:
        stream.wait_until(lambda: len(calls) > 3)
        (shard,) = worker.status().shards.values()

    assert "awaitable" in str(shard.last_error)
