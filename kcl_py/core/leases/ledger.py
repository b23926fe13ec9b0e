"""What does the answer to a write mean? All attempts on one counter, and which of them applied.

While an answer is missing, none of the attempts on a counter is known not to have applied until the
counter has
passed: at most one of them can. The nonce on the row tells which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kcl_py.core.events import Applied, Failure, WriteAnswer
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import RowWrite, WriteKind


@dataclass(frozen=True, slots=True)
class Attempt:
    """One write that was sent.

    Attributes:
        sent_at: When the core emitted it; fences count from here.
    """

    write: RowWrite
    sent_at: float

    @property
    def kind(self) -> WriteKind:
        """Which write of the protocol it is."""
        return self.write.kind


@dataclass(frozen=True, slots=True)
class Won:
    """This attempt applied, whether its own answer said so or its nonce was found on the row."""

    attempt: Attempt
    row: LeaseRow


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody else moved the row (None: it is gone)."""

    row: LeaseRow | None


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody knows; try again on the same counter with a new nonce."""

    failure: Failure


Outcome: TypeAlias = Won | Lost | Open


class Ledger:
    """The attempts of this worker on one lease row, one in flight at a time."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.in_flight: Attempt | None = None
        self.failures = 0
        self._attempts: dict[str, Attempt] = {}

    def send(self, write: RowWrite, now: float) -> Attempt:
        """Note an attempt that goes out now."""
        assert self.in_flight is None, "one write in flight per lease"
        assert write.base == self.base, "a write on another counter"
        assert write.nonce is not None
        attempt = Attempt(write, now)
        self._attempts[write.nonce] = attempt
        self.in_flight = attempt
        return attempt

    def settle(self, attempt: Attempt, answer: WriteAnswer) -> Outcome:
        """Say what the answer to `attempt` means, and move the base when an attempt has applied."""
        assert self.in_flight is attempt, "an answer to a write that is not in flight"
        self.in_flight = None
        if isinstance(answer, Failure):
            self.failures += 1
            return Open(answer)
        self.failures = 0
        row = answer.row if isinstance(answer.row, LeaseRow) else None
        if row is None:
            return Lost(None)
        winner = attempt if isinstance(answer, Applied) else self._attempts.get(row.nonce or "")
        if winner is None or row.counter != (winner.write.sets["counter"]):
            return Lost(row)
        self.base = row.counter
        self._attempts.clear()
        return Won(winner, row)
