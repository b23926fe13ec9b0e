"""What can somebody look at who stands outside of the simulated world? The eyes of the checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kcl_py.core.commands import Command
    from kcl_py.core.events import Event
    from kcl_py.records import Position, Record
    from kcl_py.testing.sim.run import SimRun
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker


class ViolationError(AssertionError):
    """An invariant of the design does not hold.

    Attributes:
        invariant: Its name: `I1` and so on.
    """

    def __init__(self, invariant: str, message: str) -> None:
        super().__init__(f"{invariant}: {message}")
        self.invariant = invariant


class Watcher:
    """Told of everything as it happens; each hook does nothing unless a checker wants it.

    Attributes:
        muted: Invariants that it does not speak of: to show that nobody else would.
        judged: Kinds of commands that `commanded` wants to see; None: all.
        heeded: Kinds of events that `heard` wants to see; None: all.
    """

    muted: frozenset[str] = frozenset()
    judged: ClassVar[frozenset[type[Command]] | None] = None
    heeded: ClassVar[frozenset[type[Event]] | None] = None

    def violated(self, invariant: str, message: str) -> None:
        """Say that an invariant does not hold.

        Raises:
            ViolationError: Unless that invariant is muted.
        """
        if invariant not in self.muted:
            raise ViolationError(invariant, message)

    def heard(self, worker: SimWorker, event: Event) -> None:
        """A core is about to take an event in."""

    def commanded(self, worker: SimWorker, command: Command) -> None:
        """The core of a worker has said what to do; it is not done yet."""

    def told(self, worker: SimWorker, event: Event, *, idle: bool) -> None:
        """A core has taken an event in, and its commands are under way.

        Args:
            idle: It had no commands, or only such with which no lease begins, goes on or ends.
        """

    def user_said(self, worker: SimWorker, event: Event) -> None:
        """User code returned, raised, or asked for a checkpoint."""

    def delivered(self, worker: SimWorker, run: SimRun, record: Record) -> None:
        """User code got one record: the guard let it through."""

    def buried(self, worker: SimWorker, run: SimRun, position: Position) -> None:
        """The dead letter of a record is durable."""

    def changed(self, change: Change) -> None:
        """A write was applied."""

    def died(self, worker: SimWorker) -> None:
        """A worker was killed, or has finished."""


_HOOKS: Final = ("told", "user_said", "delivered", "buried", "changed", "died")
"""Hooks of `Watcher` that are told of everything of their kind."""


class Told(Protocol):
    """The hook of that name."""

    def __call__(self, worker: SimWorker, event: Event, *, idle: bool) -> None:
        """Look."""


class Audience:
    """All who look on, by what they want to be told of, in the order in which they came."""

    def __init__(self, watchers: Iterable[Watcher] = ()) -> None:
        self.told: list[Told] = []
        self.user_said: list[Callable[[SimWorker, Event], None]] = []
        self.delivered: list[Callable[[SimWorker, SimRun, Record], None]] = []
        self.buried: list[Callable[[SimWorker, SimRun, Position], None]] = []
        self.changed: list[Callable[[Change], None]] = []
        self.died: list[Callable[[SimWorker], None]] = []
        self._watchers: list[Watcher] = []
        self._judges: dict[type[Command], list[Callable[[SimWorker, Command], None]]] = {}
        self._listeners: dict[type[Event], list[Callable[[SimWorker, Event], None]]] = {}
        for watcher in watchers:
            self.append(watcher)

    def append(self, watcher: Watcher) -> None:
        """Let one more look on."""
        for name in _HOOKS:
            if getattr(type(watcher), name) is not getattr(Watcher, name):
                getattr(self, name).append(getattr(watcher, name))
        self._watchers.append(watcher)
        self._judges.clear()
        self._listeners.clear()

    def commanded_by(self, kind: type[Command]) -> list[Callable[[SimWorker, Command], None]]:
        """Return the hooks of all who want to see commands of this kind."""
        hooks = self._judges.get(kind)
        if hooks is None:
            hooks = self._judges[kind] = [
                watcher.commanded
                for watcher in self._watchers
                if type(watcher).commanded is not Watcher.commanded
                and (watcher.judged is None or kind in watcher.judged)
            ]
        return hooks

    def heard_by(self, kind: type[Event]) -> list[Callable[[SimWorker, Event], None]]:
        """Return the hooks of all who want to hear events of this kind."""
        hooks = self._listeners.get(kind)
        if hooks is None:
            hooks = self._listeners[kind] = [
                watcher.heard
                for watcher in self._watchers
                if type(watcher).heard is not Watcher.heard
                and (watcher.heeded is None or kind in watcher.heeded)
            ]
        return hooks

    def clear(self) -> None:
        """Let nobody look on any more."""
        for name in _HOOKS:
            getattr(self, name).clear()
        self._watchers.clear()
        self._judges.clear()
        self._listeners.clear()
