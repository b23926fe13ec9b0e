"""What stands around the consumers in tests? A shell, a stream and a lease side, all by hand.

Every command is checked as it comes out: one call at a time, close last, nothing past the fence,
records in order, pace and memory within their bounds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kcl_py.aggregation import Unopened, WhyUnopened
from kcl_py.config import WorkerConfig
from kcl_py.core import commands
from kcl_py.core.calls import Calls
from kcl_py.core.commands import StartKind
from kcl_py.core.consumer.budget import PAGE_BYTES_MAX
from kcl_py.core.consumer.consumers import Consumers
from kcl_py.core.consumer.page import Page
from kcl_py.core.events import (
    CallReturned,
    CheckpointAsked,
    Failure,
    FailureKind,
    FetchFailed,
    PageFetched,
    Traits,
    UserError,
)
from kcl_py.core.leases.rows import Checkpoint, LeaseRow, Sentinel
from kcl_py.core.ports import Epoch
from kcl_py.core.shards.graph import Shard
from kcl_py.core.timers import Timers
from kcl_py.errors import KclError
from kcl_py.records import Position, Record
from tests.core.consumer.house_leases import Leases

D = 10.0
KEY = "shardId-000000000000"
AUTO = Traits(checkpointing="auto", idle_after=None)
EXPLICIT = Traits(checkpointing="explicit", idle_after=None)
CHILDREN = (
    Shard(shard_id="shardId-000000000001", parents=(KEY,), hash_range=(0, 9), is_open=True),
)


def at(number: int, sub: int = 0) -> Position:
    return Position(str(number), sub)


def number_of(position: Position | None) -> int:
    return 0 if position is None else int(position.sequence_number)


def record(number: int, sub: int = 0) -> Record:
    return Record(sequence_number=str(number), sub_sequence_number=sub, data=b"x" * 100)


def error(summary: str = "ValueError: no", **more: Any) -> UserError:
    return UserError(**{"kind": "error", "summary": summary, **more})


LOST = UserError(kind="lease_lost", summary="LeaseLost: a newer token")
EXIT = UserError(kind="exit", summary="SystemExit: 0")


class Stream:
    """One shard as Kinesis keeps it: raw records, each of them one or more user records.

    Attributes:
        strays: By raw record: how many of its user records the shell drops. They are not in `raw`.
    """

    def __init__(self) -> None:
        self.raw: list[list[Record]] = []
        self.strays: Counter[int] = Counter()
        self.is_closed = False
        self.trimmed = 0

    def put(self, count: int, *, subs: int = 1) -> None:
        for _ in range(count):
            number = len(self.raw) + 1
            self.raw.append([record(number, sub) for sub in range(subs)])

    def put_aggregated(self, *kept: bool) -> None:
        """Put one raw record of so many user records; those that are not kept are dropped."""
        number = len(self.raw) + 1
        self.raw.append([record(number, sub) for sub, is_kept in enumerate(kept) if is_kept])
        self.strays[number] = len(kept) - sum(kept)

    def index_of(self, start: commands.Start) -> int:
        if start.kind in (StartKind.TRIM_HORIZON, StartKind.AT_TIMESTAMP):
            return self.trimmed
        assert start.sequence_number is not None
        place = int(start.sequence_number)
        return max(self.trimmed, place - 1 if start.kind is StartKind.AT else place)


@dataclass
class Run:
    """A processor object as the shell has it."""

    run_id: int
    facts: commands.EpochFacts
    fence: float
    method: str | None = "initialize"
    delivery: commands.Deliver | None = None
    letter: commands.WriteLetter | None = None
    calls: list[str] = field(default_factory=lambda: ["initialize"])
    handed: Position | None = None
    checkpointed: Position | None = None
    is_closed: bool = False


class House:
    """Consumers, and everything they talk to."""

    def __init__(self, *, config: WorkerConfig | None = None, seed: int = 0) -> None:
        self.now = 100.0
        self.config = config or WorkerConfig()
        self.calls = Calls()
        self.timers = Timers()
        self.leases = Leases()
        self.consumers = Consumers(
            config=self.config,
            calls=self.calls,
            timers=self.timers,
            rng=random.Random(seed),
            leases=self.leases,
        )
        self.streams: dict[str, Stream] = {}
        self.traits: dict[str, Traits] = {}
        self.fetches: dict[str, commands.Fetch] = {}
        self.stale: list[commands.Fetch] = []
        self.fetched_at: dict[str, list[float]] = {}
        self.runs: dict[str, Run] = {}
        self.old_runs: list[Run] = []
        self.answers: dict[int, commands.AnswerCheckpoint] = {}
        self.asked: set[int] = set()
        self.waits_for: dict[int, Position] = {}
        self.reports: list[commands.Report] = []
        self.fences: dict[str, float] = {}
        self.owned: set[str] = set()
        self.delivered: dict[str, list[Position]] = {}
        self.given_up: dict[str, set[Position]] = {}
        self.letters: list[Position] = []
        self.leases.looks = self._see_skipped
        self._seen: list[commands.Command] = []
        self.tokens = 0

    # -------------------------------------------------------------------------------- the lease

    def begin(
        self,
        key: str = KEY,
        *,
        checkpoint: Checkpoint = Sentinel.TRIM_HORIZON,
        traits: Traits = AUTO,
        waits: bool = False,
        **row: Any,
    ) -> None:
        self.streams.setdefault(key, Stream())
        self.traits[key] = traits
        fields = {"checkpoint": checkpoint, "owner": "me", **row}
        self.leases.rows[key] = LeaseRow(key=key, counter=1, **fields)
        self._own(key)
        self.consumers.begin(self.now, self._epoch(key), waits_for_parents=waits)
        self.take()

    def _own(self, key: str) -> None:
        self.tokens += 1
        self.owned.add(key)
        self.leases.given_up.discard(key)
        self.given_up[key] = set()
        self.fences[key] = self.now + D
        checkpoint = self.leases.rows[key].checkpoint
        start = checkpoint if isinstance(checkpoint, Position) else None
        self.leases.recorded.pop(key, None)
        self.leases.may_finish[key] = start

    def _epoch(self, key: str) -> Epoch:
        return Epoch(row=self.leases.rows[key], token=self.tokens, fence=self.fences[key])

    def renew(self, key: str = KEY, *, carries: bool = True) -> None:
        """A write of ours succeeds now; it carries what was recorded unless it is an old one."""
        row = self.leases.rows[key]
        if carries and key in self.leases.recorded:
            row = replace(row, checkpoint=self.leases.recorded[key])
        if carries and key in self.leases.pending:
            row = replace(row, pending=self.leases.pending.pop(key))
        self.leases.rows[key] = row
        self.leases.urgent.clear()
        self.fences[key] = self.now + D
        self.consumers.fence_moved(self.now, key, self.fences[key])
        self.consumers.durable(self.now, key, row)
        self.take()

    def lose(self, key: str = KEY) -> None:
        self.owned.discard(key)
        self.fences[key] = float("-inf")
        self.consumers.lose(self.now, key, "a test")
        self.take()

    def drain(self, key: str = KEY, reason: Any = "handoff") -> None:
        self.consumers.drain(self.now, key, reason)
        self.take()

    def resume(self, key: str = KEY, *, new_epoch: bool = False) -> None:
        epoch = None
        if new_epoch:
            row = self.leases.rows[key]
            if key in self.leases.recorded:
                row = replace(row, checkpoint=self.leases.recorded[key])
            self.leases.rows[key] = row
            self._own(key)
            epoch = self._epoch(key)
        self.consumers.resume(self.now, key, epoch)
        self.take()

    # ---------------------------------------------------------------------------------- the time

    def advance(self, seconds: float, *, renews: bool = True) -> None:
        """Let time pass, timer by timer; leases are renewed unless told not to."""
        end = self.now + seconds
        while True:
            following = self.timers.next()
            step = min(end, self.now + D / 4)
            self.now = min(step, max(self.now, following)) if following is not None else step
            self.timers.fire(self.now)
            self.take()
            if renews:
                for key in sorted(self.owned):
                    if self.now > self.fences[key] - D / 2:
                        self.renew(key)
            if self.now >= end:
                return

    # -------------------------------------------------------------------------------- the stream

    def stream(self, key: str = KEY) -> Stream:
        return self.streams.setdefault(key, Stream())

    def answer(
        self, key: str = KEY, *, limit: int = 10_000, unopened: Sequence[int] = ()
    ) -> list[Position]:
        """Answer the read that is under way; return what it brought.

        Args:
            unopened: Sequence numbers of records that look aggregated and cannot be opened.
        """
        fetch = self.fetches.pop(key)
        return self._answer(fetch, limit, unopened)

    def answer_stale(self) -> None:
        while self.stale:
            self._answer(self.stale.pop(0), 3)

    def _answer(
        self, fetch: commands.Fetch, limit: int, unopened: Sequence[int] = ()
    ) -> list[Position]:
        stream = self.streams[fetch.key]
        first = int(fetch.iterator) if fetch.iterator is not None else stream.index_of(fetch.start)
        raw = stream.raw[first : first + min(limit, fetch.records_max)]
        following = first + len(raw)
        is_end = stream.is_closed and following >= len(stream.raw)
        numbers = range(first + 1, following + 1)
        found = [one for group in raw for one in group]
        dropped = sum(stream.strays[number] for number in numbers)
        size = sum(len(one.data) for one in found)
        self._tell(
            PageFetched(
                fetch_id=fetch.fetch_id,
                key=fetch.key,
                page=Page(found, size) if found else None,
                next_iterator=None if is_end else str(following),
                children=CHILDREN if is_end else (),
                lag=0.0 if following >= len(stream.raw) else 1.0,
                bytes_read=size,
                span=(str(numbers[0]), str(numbers[-1])) if raw else None,
                stray_count=dropped,
                dropped_count=dropped,
                first_stray=at(next(n for n in numbers if stream.strays[n])) if dropped else None,
                unopened=tuple(Unopened(str(n), WhyUnopened.WRONG_DIGEST) for n in unopened),
            )
        )
        return [one.position for one in found]

    def fail(self, kind: FailureKind, key: str = KEY, action: str = "kinesis:GetRecords") -> None:
        fetch = self.fetches.pop(key)
        self._tell(FetchFailed(fetch.fetch_id, key, Failure(kind, action, "said the service")))

    def _tell(self, event: PageFetched | FetchFailed) -> None:
        assert self.calls.answer(self.now, event)
        self.take()

    # ----------------------------------------------------------------------------------- user code

    def run(self, key: str = KEY) -> Run:
        return self.runs[key]

    def batch(self, key: str = KEY) -> list[int]:
        """Sequence numbers of the batch that user code has now."""
        return [number_of(position) for position in self.batch_positions(key)]

    def batch_positions(self, key: str = KEY) -> list[Position]:
        delivery = self.runs[key].delivery
        assert delivery is not None, "no batch is being processed"
        if delivery.page is None:
            return []
        return [one.position for one in delivery.page.records[delivery.start : delivery.stop]]

    def attempt(self, key: str = KEY) -> int:
        delivery = self.runs[key].delivery
        assert delivery is not None, "no batch is being processed"
        return delivery.attempt

    def returns(self, key: str = KEY, problem: UserError | None = None) -> None:
        """The running call returns, or raises."""
        run = self.runs[key]
        method = run.method
        assert method is not None, "no call is running"
        if method == "process_records":
            self._returned_batch(key, run, problem)
        if run.letter is not None and problem is None:
            self.letters.append(run.letter.position)
            if self.now < self.fences[key]:
                self._pass_over(key, run.letter.position)
        run.method, run.delivery, run.letter = None, None, None
        traits = self.traits[key] if method == "initialize" and problem is None else None
        if method == "close":
            run.is_closed = True
            self.old_runs.append(self.runs.pop(key))
        event = CallReturned(run_id=run.run_id, method=method, error=problem, traits=traits)  # type: ignore[arg-type]
        self.consumers.on_event(self.now, event)
        self.owned -= self.leases.given_up
        self.take()

    def _returned_batch(self, key: str, run: Run, problem: UserError | None) -> None:
        positions = self.batch_positions(key)
        if positions:
            run.handed = positions[-1]
        if self.traits[key].checkpointing != "auto" or not positions:
            return
        if self.now >= self.fences[key]:
            return
        if problem is None:
            self._finish(key, positions[-1])
        elif problem.failed_at in positions[1:]:
            self._finish(key, positions[positions.index(problem.failed_at) - 1])

    def _finish(self, key: str, position: Position) -> None:
        done = self.leases.may_finish[key]
        self.leases.may_finish[key] = position if done is None else max(done, position)
        self._pass_given_up(key)

    def _pass_over(self, key: str, position: Position) -> None:
        """A record is given up: the checkpoint may pass it once all before it is finished."""
        assert position not in self.given_up[key], "given up twice in one epoch"
        self.given_up[key].add(position)
        self._pass_given_up(key)

    def _pass_given_up(self, key: str) -> None:
        done = self.leases.may_finish[key]
        oldest = self.streams[key].raw[self.streams[key].trimmed :]
        for position in (one.position for group in oldest for one in group):
            if done is not None and position <= done:
                continue
            if position not in self.given_up[key]:
                return
            self.leases.may_finish[key] = done = position

    def ask(
        self,
        position: Position,
        key: str = KEY,
        *,
        kind: Any = "checkpoint",
        wait: bool = True,
        state: bytes = b"",
        run_id: int | None = None,
        handed: Position | None = None,
    ) -> int:
        """User code asks for a checkpoint; everything it was given counts as handed over."""
        request_id = len(self.asked) + 1
        self.asked.add(request_id)
        if wait and kind != "prepare":
            self.waits_for[request_id] = position
        run = self.runs.get(key)
        if handed is None and run is not None:
            handed = run.handed
            if run.delivery is not None and run.delivery.page is not None:
                handed = self.batch_positions(key)[-1]
        offered = self.leases.rows[key].pending if key in self.leases.rows else None
        is_offered = kind == "commit" and offered is not None and offered.position == position
        may_skip = is_offered and run is not None and run.method == "initialize"
        is_handed = handed is not None and position <= handed
        if kind != "prepare" and (is_handed or may_skip):
            self._finish(key, position)
        event = CheckpointAsked(
            run_id=run.run_id if run_id is None and run is not None else run_id or 0,
            request_id=request_id,
            kind=kind,
            at=position,
            handed=handed,
            wait=wait,
            state=state,
        )
        self.consumers.on_event(self.now, event)
        self.take()
        return request_id

    def problem_of(self, request_id: int) -> KclError | None:
        return self.answers[request_id].error

    # ------------------------------------------------------------------------------------ commands

    def take(self) -> None:
        """Carry out what the consumers want, and check it."""
        self._see_skipped()
        for command in self.calls.take_out():
            match command:
                case commands.Fetch():
                    self._fetch(command)
                case commands.StartRun():
                    self._start_run(command)
                case commands.Deliver():
                    self._deliver(command)
                case commands.CallProcessor():
                    self._call(command)
                case commands.WriteLetter():
                    self._write_letter(command)
                case commands.MoveFence(run_id=run_id, until=until, durable=durable):
                    run = self._open_run(run_id)
                    assert run.fence > float("-inf"), "a fence that fell stays"
                    run.fence = until
                    run.checkpointed = durable or run.checkpointed
                case commands.AnswerCheckpoint():
                    self._answered(command)
                case commands.Report() | commands.DumpStacks():
                    self.reports += [command] if isinstance(command, commands.Report) else []
                case _:
                    raise AssertionError(f"not a consumer's command: {command}")
        self._check_memory()

    def _start_run(self, command: commands.StartRun) -> None:
        key = command.epoch.key
        assert key not in self.runs, "one object at a time"
        assert self.now < self.fences[key], "an object is made inside the fence"
        self.runs[key] = Run(command.run_id, command.epoch, command.epoch.fence)
        self.delivered.setdefault(key, [])

    def _answered(self, command: commands.AnswerCheckpoint) -> None:
        request_id = command.request_id
        assert request_id in self.asked
        assert request_id not in self.answers, "answered twice"
        self.answers[request_id] = command
        if command.error is None and request_id in self.waits_for:
            assert command.durable is not None, "answered before it is durable"
            assert command.durable >= self.waits_for[request_id], "durable, but less"

    def _open_run(self, run_id: int) -> Run:
        found = [run for run in self.runs.values() if run.run_id == run_id]
        assert found, f"run {run_id} is not open"
        return found[0]

    def _fetch(self, command: commands.Fetch) -> None:
        key = command.key
        assert key in self.owned, "only held shards are read"
        times = self.fetched_at.setdefault(key, [])
        times.append(self.now)
        recent = [when for when in times if when > self.now - 1.0]
        assert len(recent) <= 5, "I8: five reads a second"
        if key in self.fetches:
            self.stale.append(self.fetches.pop(key))
        self.fetches[key] = command

    def _deliver(self, command: commands.Deliver) -> None:
        run = self._open_run(command.run_id)
        key = run.facts.key
        assert run.method is None, "one call at a time"
        assert self.now < run.fence, "nothing is delivered past the fence"
        before = ("initialize", "process_records", "write_letter")
        assert run.calls[-1] in before, "no records after the end"
        run.method, run.delivery = "process_records", command
        run.calls.append("process_records")
        if command.page is None:
            return
        assert command.stop - command.start <= self.config.delivery.batch_records
        positions = self.batch_positions(key)
        assert positions, "a batch is never empty by accident"
        self._check_order(key, positions)
        self.delivered[key] += positions

    def _see_skipped(self) -> None:
        """A record that is skipped is given up as soon as the log is told."""
        for command in self.calls._out:
            if not isinstance(command, commands.Report) or command.name != "record.skipped":
                continue
            if not any(command is seen for seen in self._seen):
                self._seen.append(command)
                assert self.config.on_error.then == "skip"
                position = Position.parse(str(command.fields["position"]))
                self._pass_over(str(command.key), position)

    def _write_letter(self, command: commands.WriteLetter) -> None:
        run = self._open_run(command.run_id)
        key = run.facts.key
        assert run.method is None, "one call at a time"
        assert self.now < run.fence, "no letter past the fence"
        assert self.config.on_error.then == "dead_letter"
        assert command.position in self.delivered[key], "it was never delivered"
        assert command.record is None or command.record.position == command.position
        run.method, run.letter = "write_letter", command
        run.calls.append("write_letter")

    def _check_order(self, key: str, positions: list[Position]) -> None:
        """I3, I5: a batch begins right behind what was handed over, finished or given up."""
        lost = self.given_up[key]
        raw = self.streams[key].raw
        known = [one.position for group in raw for one in group if one.position not in lost]
        first = known.index(positions[0])
        assert positions == known[first : first + len(positions)], "no gap inside a batch"
        done, handed = self.leases.may_finish.get(key), self.runs[key].handed
        if self.traits[key].checkpointing == "explicit" and handed is not None:
            done = handed
        behind = 0 if done is None else sum(1 for position in known if position <= done)
        assert first == max(behind, self._oldest(key)), "a gap, or a repetition"

    def _oldest(self, key: str) -> int:
        raw, lost = self.streams[key].raw[: self.streams[key].trimmed], self.given_up[key]
        return sum(1 for group in raw for one in group if one.position not in lost)

    def _call(self, command: commands.CallProcessor) -> None:
        run = self._open_run(command.run_id)
        assert run.method is None, "one call at a time"
        assert "close" not in run.calls, "close is last, and once"
        if command.method in ("shutdown_requested", "shard_ended"):
            assert self.now < run.fence, f"{command.method} inside the fence"
        run.method = command.method
        run.calls.append(command.method)

    def _check_memory(self) -> None:
        budget = self.consumers._tools.budget
        buffered = self.consumers.buffered_bytes
        assert budget.claimed_bytes <= max(self.config.delivery.buffer_bytes, PAGE_BYTES_MAX)
        under_way = len(self.fetches) + len(self.stale)
        assert budget.claimed_bytes - buffered == under_way * PAGE_BYTES_MAX

    # ------------------------------------------------------------------------------------ shortcuts

    def start(self, count: int = 0, **more: Any) -> None:
        """A lease is ours, the processor is ready, and `count` records are there and read."""
        self.stream(more.get("key", KEY)).put(count)
        self.begin(**more)
        self.returns(more.get("key", KEY))
        if count:
            self.answer(more.get("key", KEY))

    def names(self) -> Counter[str]:
        return Counter(report.name for report in self.reports)
