"""Which of N processes must be started now, and what follows from the end of one?

Decides only: no process, clock or signal is in here, so that every course of events can be tested.
"""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from enum import Enum
from typing import Final

from kcl_py.cli.errors import ExitCode

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""Whoever ran so long is no longer failing at its start; its next wait is the first one again."""

HOPELESS: Final = frozenset({ExitCode.USAGE, ExitCode.REFUSED})
"""After these the same happens again until somebody acts. Source: docs/reference/exit-codes.md.

But wrong settings of a command that has run well are a disk that is full, or a file that was
changed: no reason to end those that run.
"""

_DOUBLINGS_MAX: Final = 16  # Beyond any limit in here; keeps the number small.


class Next(Enum):
    """What becomes of a process that has ended."""

    AGAIN = "started again after a wait"
    DONE = "ended as it should"
    GIVEN_UP = "it would only fail again: all are stopped"


@dataclass(slots=True)
class _Place:
    """One of the N.

    Attributes:
        due: When to start it; None: it runs, or will not run again.
        since: When it was started; None: it does not run.
        failures: How often it ended too early, one after the other.
    """

    due: float | None
    since: float | None = None
    failures: int = 0


class Restarts:
    """Keeps N processes running until it is asked to stop, or until running makes no sense."""

    def __init__(self, count: int, now: float, rng: random.Random) -> None:
        """All are due at once.

        Args:
            count: How many.
            now: Seconds on a clock that never jumps, as in all that follows.
            rng: Spreads the waits, so that what failed together does not return together.
        """
        self._places = [_Place(due=now) for _ in range(count)]
        self._rng = rng
        self._has_run_well = False
        self.is_stopping = False
        self.exit_code: int = ExitCode.OK

    @property
    def is_over(self) -> bool:
        """Nothing runs, and nothing will."""
        return all(place.since is None and place.due is None for place in self._places)

    @property
    def next_due(self) -> float | None:
        """When something is to be started next; None: nothing is waiting for that."""
        return min((place.due for place in self._places if place.due is not None), default=None)

    def due(self, now: float) -> list[int]:
        """Which are to be started now, by their place."""
        return [
            number
            for number, place in enumerate(self._places)
            if place.due is not None and place.due <= now
        ]

    def wait_of(self, number: int, now: float) -> float:
        """How long until this one is started; 0 if it is not waiting."""
        due = self._places[number].due
        return 0.0 if due is None else max(due - now, 0.0)

    def started(self, number: int, now: float) -> None:
        """One was started."""
        place = self._places[number]
        place.due, place.since = None, now

    def ended(self, number: int, code: int, now: float) -> Next:
        """One has ended.

        Args:
            number: Its place.
            code: As of `subprocess`: minus N if signal N ended it.
            now: When.
        """
        place = self._places[number]
        lasted = now - (now if place.since is None else place.since)
        self._has_run_well |= any(
            each.since is not None and now - each.since >= STEADY_SECONDS for each in self._places
        )
        place.since = None
        if code == 0:
            return Next.DONE
        if self.is_stopping:
            # Ended by SIGTERM itself: it had not begun, or was done, so it had no leases.
            if code != -signal.SIGTERM:
                self._remember(code)
            return Next.DONE
        if code in HOPELESS and not (code == ExitCode.USAGE and self._has_run_well):
            self._remember(code)
            self.stop()
            return Next.GIVEN_UP
        place.failures = 0 if lasted >= STEADY_SECONDS else place.failures
        place.due = now + self._wait(place.failures)
        place.failures += 1
        return Next.AGAIN

    def stop(self) -> None:
        """Start nothing any more: it is over once those that run have ended."""
        self.is_stopping = True
        for place in self._places:
            place.due = None

    def _wait(self, failures: int) -> float:
        longest = FIRST_WAIT_SECONDS * 2.0 ** min(failures, _DOUBLINGS_MAX)
        return min(longest, LONGEST_WAIT_SECONDS) * self._rng.uniform(0.5, 1.0)

    def _remember(self, code: int) -> None:
        self.exit_code = self.exit_code or shown(code)


def shown(code: int) -> int:
    """An exit code as a shell shows it: 128 + N if signal N ended the process."""
    return code if code >= 0 else 128 - code
