"""What does simulated user code do with its records? It takes time, raises, hangs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kcl_py.core.events import Traits, UserError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from kcl_py.core.commands import AnswerCheckpoint
    from kcl_py.records import Position, Record
    from kcl_py.testing.sim_run import Call, SimRun

_LEASE_LOST = UserError(kind="lease_lost", summary="LeaseLost: the guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How user code behaves. Times are seconds, shortest and longest; chances are from 0 to 1.

    Attributes:
        per_call: Work besides the records.
        error: Chance per record of an exception.
        names_record: Such an exception names its record (`RecordFailed`).
        hang: Chance per call of hanging for `hang_seconds`.
        checkpoint_every: Records between two checkpoints of its own; None: none of its own (an
            explicit processor then checkpoints what each batch brought).
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
    hang: float = 0.0
    hang_seconds: float = 30.0
    checkpoint_every: int | None = None


class ScriptedRun:
    """A processor object that follows its habits.

    Every step is an event of its own, so that a pause, a kill or the fence may come in between.
    """

    def __init__(self, run: SimRun, habits: Callable[[], Habits], rng: random.Random) -> None:
        self._run = run
        self._habits_now = habits
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
                self._later(habits.initialize, self._initialized)
            case "process_records":
                hangs = habits.hang > 0 and self._rng.random() < habits.hang
                spend = (habits.hang_seconds, habits.hang_seconds) if hangs else habits.per_call
                self._later(spend, lambda: self._next(call.records, 0))
            case "shutdown_requested":
                self._later(habits.shutdown, self._checkpoint_all)
            case "shard_ended":
                self._later(habits.per_call, self._checkpoint_all)
            case "lease_lost" | "close":
                self._later(habits.per_call, self._run.returned)

    def _later(self, spend: tuple[float, float], action: Callable[[], None]) -> None:
        self._run.worker.later(self._rng.uniform(*spend), action)

    def _initialized(self) -> None:
        traits = Traits(
            checkpointing=self._habits.checkpointing, idle_after=self._habits.idle_after
        )
        error = None
        if self._habits.initialize_error and self._rng.random() < self._habits.initialize_error:
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
        if self._habits.error and self._rng.random() < self._habits.error:
            names = self._rng.random() < self._habits.names_record
            failed_at = record.position if names else None
            self._run.returned(
                UserError(kind="error", summary="ValueError: poison", failed_at=failed_at)
            )
            return
        self._handed = record.position
        self._since_checkpoint += 1
        self._later(self._habits.per_record, lambda: self._done(records, index))

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
        self._asked = self._handed

        def answered(answer: AnswerCheckpoint) -> None:
            # Not durable in time is no reason to stop: it stays recorded. A lost lease is one.
            if answer.error is not None and not self._run.is_inside():
                self._run.returned(_LEASE_LOST)
            else:
                then()

        wait = self._rng.random() < 0.7  # noqa: PLR2004
        self._run.ask("checkpoint", self._asked, handed=self._handed, then=answered, wait=wait)
