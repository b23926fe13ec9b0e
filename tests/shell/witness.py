"""What did the core say, what was done, and do the two agree? The judge of every scenario.

It stands between the shell and everything else: it hears what goes into the core and comes out,
what reaches the fake services, and what user code sees. `check` judges at the end:

    fence       no record is yielded at or past a fence, by the clock reading of the guard
    once        every command is carried out once and answered once, while the worker lives
    order       calls of one run never overlap; `initialize` is first, `close` last, once
    epochs      no record of an older epoch after the first one of a newer epoch
    answers     every question of user code returns or raises, once
    reports     what the core reports reaches `on_event`, in order
    threads     nothing runs when the worker has ended, but user code that hangs
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from kcl_py.core import commands, events
from kcl_py.core.commands import Command
from kcl_py.core.events import Event
from kcl_py.shell.control import Core
from kcl_py.status import WorkerEvent, WorkerStatus
from tests.shell.baton import Baton

SLACK = 3.0
"""Virtual seconds that the shell has for what the core asked of it shortly before the end."""

Waiting = dict[tuple[object, ...], tuple[float, tuple[object, ...] | None]]
"""Questions without an answer: when each was asked, and the remote call that answers it."""


@dataclass(slots=True)
class Turn:
    """One question to the core and its answer.

    Attributes:
        done: Step at which the core was asked again: all commands were carried out by then.
    """

    step: int
    at: float
    event: Event | None
    commands: list[Command]
    done: float = inf


@dataclass(slots=True)
class Call:
    """One remote call as the fake service saw it."""

    what: tuple[object, ...]
    begun: float
    ended: float = inf


@dataclass(frozen=True, slots=True)
class Yielded:
    """One record that user code was given, and the reading of the clock that let it pass.

    Attributes:
        step: Of the reading.
        given: Step at which user code had it.
    """

    step: int
    given: int
    reading: float
    run: str
    key: str
    token: int
    position: str


@dataclass(slots=True)
class Fence:
    """One fence of one run: from which step it may count, and from which step it must."""

    issued: int
    until: float
    done: float


@dataclass(slots=True)
class Life:
    """What user code of one run was called with."""

    methods: list[str] = field(default_factory=list)
    busy: str | None = None
    left_at: float = 0.0


class Spied:
    """A core whose every word is taken down. One thread alone may use it."""

    def __init__(self, core: Core, witness: Witness, name: str, cost: float) -> None:
        self.name = name
        self.turns: list[Turn] = []
        self._core = core
        self._witness = witness
        self._cost = cost
        self._user: str | None = None

    def start(self, now: float, wall: float) -> list[Command]:
        step = self._enter()
        return self._note(step, now, None, self._core.start(now, wall))

    def receive(self, now: float, event: Event) -> list[Command]:
        step = self._enter()
        return self._note(step, now, event, self._core.receive(now, event))

    def next_wakeup(self) -> float | None:
        self._enter()
        return self._core.next_wakeup()

    def status(self, now: float) -> WorkerStatus:
        self._enter()
        return self._core.status(now)

    def run(self, run_id: int) -> str:
        """Name a run of this core's."""
        return f"{self.name}/{run_id}"

    def finish(self) -> Turn | None:
        """The turn that ended it; None: none did."""
        for turn in self.turns:
            if any(isinstance(command, commands.Finish) for command in turn.commands):
                return turn
        return None

    def _enter(self) -> int:
        baton = self._witness.baton
        me = baton.me()
        name = me.name if me is not None else "nobody"
        if self._user not in (None, name):
            self._witness.accuse(f"core: {name} uses it, and so does {self._user}")
        self._user = name
        baton.step += 1
        baton.time += self._cost
        if self.turns and self.turns[-1].done == inf:
            self.turns[-1].done = baton.step
        return baton.step

    def _note(
        self, step: int, now: float, event: Event | None, said: list[Command]
    ) -> list[Command]:
        self.turns.append(Turn(step, now, event, list(said)))
        if event is not None and not isinstance(event, events.Woken | events.WallRead):
            self._witness.baton.note(f"told {type(event).__name__}")
        for command in said:
            self._witness.baton.note(f"said {type(command).__name__}")
        return said


class Witness:
    """Hears everything; see the top of this file.

    Attributes:
        may_be_stuck: Remote calls never return in this scenario, so what waits for them is lost.
        has_crashed: A thread crashed, so what it had to do was lost.
        is_deaf: Nobody hands reports on any more.
        may_live: Threads that hang in something that is not ours.
    """

    def __init__(self, baton: Baton) -> None:
        self.baton = baton
        self.cores: list[Spied] = []
        self.calls: list[Call] = []
        self.yielded: list[Yielded] = []
        self.lives: dict[str, Life] = defaultdict(Life)
        self.heard: list[str] = []
        self.open_asks: dict[int, str] = {}
        self.ended_at: int | None = None
        self.may_be_stuck = False
        self.has_crashed = False
        self.is_deaf = False
        self.may_live: Sequence[str] = ()
        self._said: list[str] = []
        self._ask_count = 0

    # ------------------------------------------------------------------------------ what is heard

    def accuse(self, text: str) -> None:
        self._said.append(text)

    def spy(self, core: Core, name: str = "w-1", *, cost: float = 0.0) -> Spied:
        spied = Spied(core, self, name, cost)
        self.cores.append(spied)
        return spied

    @contextlib.contextmanager
    def call(self, *what: object) -> Iterator[Call]:
        """One remote call."""
        call = Call(what, self.baton.time)
        self.calls.append(call)
        self.baton.note(f"call {what[0]}")
        try:
            yield call
        finally:
            call.ended = self.baton.time

    @contextlib.contextmanager
    def inside(self, run: str, method: str) -> Iterator[None]:
        """One call of user code."""
        life = self.lives[run]
        if life.busy is not None:
            self.accuse(f"order: run {run} is in {life.busy} when {method} is called")
        if "close" in life.methods or (not life.methods and method not in ("initialize", "close")):
            self.accuse(f"order: run {run} is called with {method} after {life.methods}")
        life.methods.append(method)
        life.busy = method
        self.baton.note(f"enter {run} {method}")
        try:
            yield
        finally:
            life.busy, life.left_at = None, self.baton.time
            self.baton.note(f"leave {run} {method}")

    @contextlib.contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """User code asks for something that must return or raise."""
        self._ask_count += 1
        number = self._ask_count
        self.open_asks[number] = what
        try:
            yield
        finally:
            del self.open_asks[number]

    def record(self, run: str, key: str, token: int, position: str) -> None:
        """User code was given this record."""
        me = self.baton.me()
        assert me is not None
        step, reading = me.reading
        given = self.baton.note(f"record {key} {position}")
        self.yielded.append(Yielded(step, given, reading, run, key, token, position))

    def on_event(self, event: WorkerEvent) -> None:
        self.heard.append(event.name)

    def ended(self) -> None:
        """`run` or `join` has returned."""
        self.ended_at = self.baton.note("ended")

    # ---------------------------------------------------------------------------- what is judged

    def check(self) -> None:
        """Judge."""
        found = [*self._said, *self._fences(), *self._epochs(), *self._once(), *self._lives()]
        found += [f"answers: {what} never returned" for what in self.open_asks.values()]
        found += self._reports()
        alive = self.baton.alive()
        found += [f"threads: {name} still runs" for name in alive if name not in self.may_live]
        assert not found, "\n".join(found)

    def fences(self) -> dict[str, list[Fence]]:
        """Return all fences that the cores set, by run."""
        found: dict[str, list[Fence]] = defaultdict(list)
        for core in self.cores:
            for turn in core.turns:
                for command in turn.commands:
                    if isinstance(command, commands.StartRun):
                        fence = Fence(turn.step, command.epoch.fence, turn.step)
                    elif isinstance(command, commands.MoveFence):
                        fence = Fence(turn.step, command.until, turn.done)
                    else:
                        continue
                    found[core.run(command.run_id)].append(fence)
        return found

    def _fences(self) -> Iterator[str]:
        fences = self.fences()
        for one in self.yielded:
            if self.ended_at is not None and one.step > self.ended_at:
                yield f"fence: {one} after the worker had ended"
            yield from self._past(one, fences.get(one.run, []))

    @staticmethod
    def _past(one: Yielded, fences: list[Fence]) -> Iterator[str]:
        before = [fence for fence in fences if fence.done < one.step]
        if any(fence.until == -inf for fence in before):
            yield f"fence: {one} though its fence was ended"
            return
        # One that was issued since may count, too: the core knew then that the epoch goes on.
        current = [fence for fence in fences if fence.issued < one.given and one.step <= fence.done]
        limit = max((fence.until for fence in [*before[-1:], *current]), default=-inf)
        if one.reading >= limit:
            yield f"fence: {one} at or past {limit}"

    def _epochs(self) -> Iterator[str]:
        newest: dict[str, int] = {}
        for one in sorted(self.yielded, key=lambda each: each.step):
            if one.token < newest.get(one.key, one.token):
                yield f"epochs: {one} after one of epoch {newest[one.key]}"
            newest[one.key] = max(one.token, newest.get(one.key, one.token))

    def _lives(self) -> Iterator[str]:
        for run, life in self.lives.items():
            if life.methods.count("close") > 1 or life.methods.count("initialize") > 1:
                yield f"order: run {run} was called with {life.methods}"

    def _once(self) -> Iterator[str]:
        called = Counter(call.what for call in self.calls)
        asked: Counter[tuple[object, ...]] = Counter()
        for core in self.cores:
            asked.update(
                what for turn in core.turns for what in map(_remote, turn.commands) if what
            )
            yield from self._answered(core)
        for what in called - asked:
            yield f"once: {_name(what)} was called more often than the core said"
        if not (self.may_be_stuck or self.has_crashed):
            for core in self.cores:
                yield from self._carried_out(core, called)

    def _carried_out(self, core: Spied, called: Counter[tuple[object, ...]]) -> Iterator[str]:
        end = core.finish()
        for turn in core.turns:
            if end is not None and turn.at > end.at - SLACK:
                break
            for what in map(_remote, turn.commands):
                if what is not None and not called[what]:
                    yield f"once: {_name(what)} of {turn.at} was never called"

    def _answered(self, core: Spied) -> Iterator[str]:
        end = core.finish()
        waiting: Waiting = {}
        for turn in core.turns:
            answered = _answer_to(turn.event)
            if answered is not None and waiting.pop(answered, None) is None:
                yield f"once: {answered} was answered though nobody waits for it"
            for command in turn.commands:
                question = _question(command)
                if question in waiting:
                    yield f"once: {question} was asked again before its answer"
                if question is not None:
                    waiting[question] = (turn.at, _remote(command))
            if end is turn:
                break
        yield from self._unanswered(core, waiting, inf if end is None else end.at)

    def _unanswered(self, core: Spied, waiting: Waiting, end: float) -> Iterator[str]:
        """Say what was never answered, though what it waits for was over long ago."""
        if self.has_crashed or self.may_be_stuck:
            return
        limit = min(end, self.baton.time) - SLACK
        late = {call.what for call in self.calls if call.ended > limit}
        for question, (at, what) in waiting.items():
            life = self.lives[core.run(int(str(question[1])))]
            is_busy = question[0] == "run" and (life.busy is not None or life.left_at > limit)
            if at < limit and what not in late and not is_busy:
                yield f"once: {question} of {at} was never answered"

    def _reports(self) -> Iterator[str]:
        said = [
            command.name
            for core in self.cores
            # A crash may come in the middle of the commands of the last turn.
            for turn in (core.turns[:-1] if self.has_crashed else core.turns)
            for command in turn.commands
            if isinstance(command, commands.Report)
        ]
        left = Counter(said) - Counter(self.heard)
        if self.heard and left and not self.is_deaf and len(self.cores) == 1:
            yield f"reports: {dict(left)} were never heard"


def _remote(command: Command) -> tuple[object, ...] | None:
    """Spell a command as the fake services spell the call that it leads to."""
    match command:
        case commands.WriteRow():
            return ("write", id(command.write))
        case commands.ScanRows():
            return ("scan", command.consistent)
        case commands.ReadRows():
            return ("read", command.keys)
        case commands.FindOwned():
            return ("find", command.owner)
        case commands.DescribeTable():
            return ("describe",)
        case commands.ListShards():
            return ("list", command.since)
        case commands.Fetch():
            return ("fetch", command.fetch_id, command.key)
        case _:
            return None


def _question(command: Command) -> tuple[object, ...] | None:
    match command:
        case commands.StartRun():
            return ("run", command.run_id, "initialize")
        case commands.Deliver():
            return ("run", command.run_id, "process_records")
        case commands.CallProcessor():
            return ("run", command.run_id, command.method)
        case commands.WriteRow():
            return ("remote", command.write_id)
        case commands.Fetch():
            return ("remote", command.fetch_id)
        case _:
            read_id = getattr(command, "read_id", None)
            return None if read_id is None else ("remote", read_id)


def _answer_to(event: Event | None) -> tuple[object, ...] | None:
    match event:
        case events.CallReturned():
            return ("run", event.run_id, event.method)
        case events.RowWritten():
            return ("remote", event.write_id)
        case events.PageFetched() | events.FetchFailed():
            return ("remote", event.fetch_id)
        case events.RowsScanned():
            return None
        case _:
            read_id: Any = getattr(event, "read_id", None)
            return None if read_id is None else ("remote", read_id)


def _name(what: tuple[object, ...]) -> str:
    return " ".join(str(part) for part in what)
