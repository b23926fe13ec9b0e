"""How fast may records go to one shard? An allowance for each, and a queue in front of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcl_py.producer.core.units import Unit


class _Gate:
    __slots__ = ("at", "level", "waiting")

    def __init__(self, level: float, now: float) -> None:
        self.level = level
        self.at = now
        self.waiting: deque[Unit] = deque()


class Pacing:
    """Units that wait for their shard's allowance.

    Args:
        rate: Units for each second and shard; a tenth of a second's worth may go at once.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate / 10)
        self._gates: dict[str, _Gate] = {}

    def add(self, unit: Unit, shard_id: str, now: float) -> None:
        """Let it wait."""
        gate = self._gates.get(shard_id)
        if gate is None:
            gate = self._gates[shard_id] = _Gate(self._burst, now)
        gate.waiting.append(unit)

    def release(self, now: float) -> Iterator[Unit]:
        """Whatever may go now, and whatever is too late for that."""
        for gate in self._gates.values():
            gate.level = min(self._burst, gate.level + (now - gate.at) * self._rate)
            gate.at = now
            while gate.waiting:
                if gate.waiting[0].expires > now:
                    # The tolerance forgives what adding up fractions of a second loses.
                    if gate.level + 1e-9 < 1:
                        break
                    gate.level -= 1
                yield gate.waiting.popleft()

    def next_due(self) -> float | None:
        """When something may go, or is too late."""
        times = [
            min(gate.at + (1 - gate.level) / self._rate, gate.waiting[0].expires)
            for gate in self._gates.values()
            if gate.waiting
        ]
        return min(times, default=None)

    def clear(self) -> list[Unit]:
        """Take everything out."""
        units = [unit for gate in self._gates.values() for unit in gate.waiting]
        self._gates.clear()
        return units
