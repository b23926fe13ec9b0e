"""What does simulated user code do with its records? It takes time, raises, hangs."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kcl_py.core.events import Traits, UserError
from kcl_py.records import Position

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from kcl_py.core.commands import AnswerCheckpoint
    from kcl_py.records import Record
    from kcl_py.testing.sim.run import Call, SimRun

_LEASE_LOST = UserError(kind="lease_lost", summary="LeaseLost: the guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How user code behaves. Times are seconds, shortest and longest; chances are from 0 to 1.

    Attributes:
        per_call: Work besides the records.
        error: Chance per record of an exception.
        names_record: Such an exception names its record (`RecordFailed`).
        gives_up: Chance per record of raising LeaseLost, as when a sink refuses the token.
        exits: Chance per record of SystemExit.
        hang: Chance per call of hanging for `hang_seconds`.
        checkpoint_every: Records between two checkpoints of its own; None: none of its own (an
            explicit processor then checkpoints what each batch brought).
        wrong: Chance that a checkpoint of its own asks for a position that it may not ask for,
            before the right one: behind what it has declared, or ahead of what it was handed.
        prepares: Chance that a checkpoint of its own has two phases; and that what an earlier
            owner prepared is committed in `initialize`.
    """

    checkpointing: Literal["auto", "explicit"] = "auto"
    idle_after: float | None = None
    initialize: tuple[float, float] = (0.0, 0.05)
    per_record: tuple[float, float] = (0.0, 0.01)
    per_call: tuple[float, float] = (0.0, 0.02)
    shutdown: tuple[float, float] = (0.0, 0.1)
    error: float = 0.0
    initialize_error: float = 0.0
    names_record: float = 0.0
    gives_up: float = 0.0
    exits: float = 0.0
    wrong: float = 0.0
    prepares: float = 0.0
    hang: float = 0.0
    hang_seconds: float = 30.0
    checkpoint_every: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """Which records fail whatever is tried, and what the sink of dead letters does.

    Attributes:
        share: Of all records, chosen by their data: the same for whoever is given one.
        names: Chance that such a failure names its record.
        hopeless: Chance that it says that no retry can mend it.
        sink: Seconds that a letter takes, shortest and longest.
        sink_error: Chance that the sink raises, in half of the cases after it has written.
    """

    share: float
    names: float = 0.5
    hopeless: float = 0.0
    sink: tuple[float, float] = (0.0, 0.2)
    sink_error: float = 0.0

    def has(self, record: Record) -> bool:
        """Say whether a record is one of them."""
        return zlib.crc32(record.data) < self.share * 2**32


class ScriptedRun:
    """A processor object that follows its habits.

    Every step is an event of its own, so that a pause, a kill or the fence may come in between.
    """

    def __init__(
        self,
        run: SimRun,
        habits: Callable[[], Habits],
        rng: random.Random,
        poison: Callable[[], Poison | None] = lambda: None,
    ) -> None:
        self._run = run
        self._habits_now = habits
        self._poison_now = poison
        self._rng = rng
        self._handed: Position | None = run.epoch.checkpointed
        self._asked: Position | None = run.epoch.checkpointed
        self._since_checkpoint = 0

    @property
    def _habits(self) -> Habits:
        return self._habits_now()

    def call(self, call: Call) -> None:
        """Begin a call."""
        habits = self._habits
        match call.method:
            case "initialize":
                self._later(habits.initialize, self._initialize)
            case "process_records":
                hangs = (habits.hang_seconds, habits.hang_seconds)
                spend = hangs if self._happens(habits.hang) else habits.per_call
                self._later(spend, lambda: self._next(call.records, 0))
            case "shutdown_requested":
                self._later(habits.shutdown, self._checkpoint_all)
            case "shard_ended":
                self._later(habits.per_call, self._checkpoint_all)
            case "write_letter":
                poison = self._poison_now()
                self._later((0.0, 0.1) if poison is None else poison.sink, self._write_letter)
            case "lease_lost" | "close":
                self._later(habits.per_call, self._run.returned)

    def _later(self, spend: tuple[float, float], action: Callable[[], None]) -> None:
        self._run.worker.later(self._rng.uniform(*spend), action)

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._rng.random() < chance

    def _initialize(self) -> None:
        pending = self._run.epoch.pending
        if pending is None or not self._happens(self._habits.prepares):
            self._initialized()
            return

        def answered(answer: AnswerCheckpoint) -> None:
            if answer.error is None:
                self._handed = self._asked = pending.position
            self._initialized()

        self._run.ask("commit", pending.position, handed=None, then=answered)

    def _initialized(self) -> None:
        traits = Traits(
            checkpointing=self._habits.checkpointing, idle_after=self._habits.idle_after
        )
        error = None
        if self._happens(self._habits.initialize_error):
            error = UserError(kind="error", summary="RuntimeError: no database")
        self._run.returned(error, traits)

    def _next(self, records: Sequence[Record], index: int) -> None:
        if index == len(records):
            self._batch_done()
            return
        record = records[index]
        if not self._run.hand_over(record):
            self._run.returned(_LEASE_LOST)
            return
        error = self._error_at(record)
        if error is not None:
            self._run.returned(error)
            return
        self._handed = record.position
        self._since_checkpoint += 1
        self._later(self._habits.per_record, lambda: self._done(records, index))

    def _write_letter(self) -> None:
        poison = self._poison_now()
        fails = poison is not None and self._happens(poison.sink_error)
        if not fails or self._happens(0.5):
            self._run.bury()
        error = UserError(kind="error", summary="OSError: the disk is full") if fails else None
        self._run.returned(error)

    def _error_at(self, record: Record) -> UserError | None:
        habits, poison = self._habits, self._poison_now()
        if poison is not None and poison.has(record):
            return UserError(
                kind="error",
                summary="ValueError: poison",
                failed_at=record.position if self._happens(poison.names) else None,
                may_retry=not self._happens(poison.hopeless),
            )
        if self._happens(habits.error):
            failed_at = record.position if self._happens(habits.names_record) else None
            return UserError(kind="error", summary="ValueError: poison", failed_at=failed_at)
        if self._happens(habits.gives_up):
            return UserError(kind="lease_lost", summary="LeaseLost: the sink")
        if self._happens(habits.exits):
            return UserError(kind="exit", summary="SystemExit")
        return None

    def _done(self, records: Sequence[Record], index: int) -> None:
        every = self._habits.checkpoint_every
        if every is not None and self._since_checkpoint >= every:
            self._checkpoint(lambda: self._next(records, index + 1))
        else:
            self._next(records, index + 1)

    def _batch_done(self) -> None:
        explicit = self._habits.checkpointing == "explicit"
        if explicit and self._habits.checkpoint_every is None:
            self._checkpoint(self._run.returned)
        else:
            self._run.returned()

    def _checkpoint_all(self) -> None:
        if self._habits.checkpointing == "explicit":
            self._checkpoint(self._run.returned)
        else:
            self._run.returned()

    def _checkpoint(self, then: Callable[[], None]) -> None:
        """Checkpoint what was handed over, if that is news; then go on, if still the owner."""
        self._since_checkpoint = 0
        if self._handed is None or self._handed == self._asked:
            then()
            return
        if not self._run.is_inside():
            self._run.returned(_LEASE_LOST)
            return
        if self._happens(self._habits.wrong):
            self._ask_wrongly(lambda: self._checkpoint_rightly(then))
        else:
            self._checkpoint_rightly(then)

    def _ask_wrongly(self, then: Callable[[], None]) -> None:
        """Ask for what was never handed over, or for what lies behind; nothing may come of it."""
        assert self._handed is not None
        ahead = int(self._handed.sequence_number) + (1 << 80)
        behind = ahead if self._asked is None else int(self._asked.sequence_number) - (1 << 80)
        place = Position(str(self._rng.choice((ahead, behind))))
        kind: Literal["checkpoint", "prepare"] = self._rng.choice(("checkpoint", "prepare"))
        self._run.ask(kind, place, handed=self._handed, then=lambda _: then())

    def _checkpoint_rightly(self, then: Callable[[], None]) -> None:
        if not self._run.is_inside():
            self._run.returned(_LEASE_LOST)
            return
        self._asked = self._handed

        def answered(answer: AnswerCheckpoint) -> None:
            # Not durable in time is no reason to stop: it stays recorded. A lost lease is one.
            if answer.error is not None and not self._run.is_inside():
                self._run.returned(_LEASE_LOST)
            else:
                then()

        place = self._asked
        assert place is not None
        if not self._happens(self._habits.prepares):
            wait = self._rng.random() < 0.7  # noqa: PLR2004
            self._run.ask("checkpoint", place, handed=self._handed, then=answered, wait=wait)
            return

        def prepared(answer: AnswerCheckpoint) -> None:
            if answer.error is None and self._run.is_inside():
                self._run.ask("commit", place, handed=self._handed, then=answered)
            else:
                answered(answer)

        self._run.ask("prepare", place, handed=self._handed, then=prepared, state=b"half")
