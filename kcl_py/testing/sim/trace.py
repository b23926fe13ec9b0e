"""What happened in the simulated world, in order? The same seed gives the same text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kcl_py.testing.sim.heap import EventHeap


class Line(NamedTuple):
    """One thing that happened."""

    at: float
    who: str
    what: str
    key: str
    facts: tuple[object, ...]

    def __str__(self) -> str:
        facts = " ".join(str(fact) for fact in self.facts)
        return f"{self.at:12.6f}  {self.who:<10} {self.what:<22} {self.key} {facts}".rstrip()


class Trace:
    """The log of a world; facts are turned into text only when somebody reads it."""

    def __init__(self, heap: EventHeap) -> None:
        self._heap = heap
        self._lines: list[tuple[float, str, str, str, tuple[object, ...]]] = []

    @property
    def lines(self) -> list[Line]:
        """Everything that happened so far."""
        return [Line(*line) for line in self._lines]

    def add(self, who: str, what: str, key: str = "", *facts: object) -> None:
        """Note something at the present true time; facts must not change later."""
        self._lines.append((self._heap.now, who, what, key, facts))

    def text(self, *, last: int | None = None, key: str | None = None) -> str:
        """Return the log, or its last lines, or what concerns one key."""
        lines = [line for line in self.lines if key is None or line.key in (key, "")]
        return "\n".join(str(line) for line in (lines if last is None else lines[-last:]))
