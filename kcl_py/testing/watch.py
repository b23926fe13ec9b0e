"""What can somebody look at who stands outside of the simulated world? The eyes of the checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.core.commands import Command
    from kcl_py.core.events import Event
    from kcl_py.records import Record
    from kcl_py.testing.sim_run import SimRun
    from kcl_py.testing.sim_table import Change
    from kcl_py.testing.sim_worker import SimWorker


class ViolationError(AssertionError):
    """An invariant of the design does not hold.

    Attributes:
        invariant: Its name: `I1` and so on.
    """

    def __init__(self, invariant: str, message: str) -> None:
        super().__init__(f"{invariant}: {message}")
        self.invariant = invariant


class Watcher:
    """Told of everything as it happens; each hook does nothing unless a checker wants it."""

    def commanded(self, worker: SimWorker, command: Command) -> None:
        """The core of a worker has said what to do; it is not done yet."""

    def told(self, worker: SimWorker) -> None:
        """A core has taken an event in, and its commands are under way."""

    def user_said(self, worker: SimWorker, event: Event) -> None:
        """User code returned, raised, or asked for a checkpoint."""

    def delivered(self, worker: SimWorker, run: SimRun, record: Record) -> None:
        """User code got one record: the guard let it through."""

    def changed(self, change: Change) -> None:
        """A write was applied."""

    def died(self, worker: SimWorker) -> None:
        """A worker was killed, or has finished."""
