"""What does the lease side of a house do? It remembers; the test decides when a write succeeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kcl_py.core.leases.rows import LeaseRow, Pending
from kcl_py.core.shards.graph import Shard
from kcl_py.records import Position


class Leases:
    """A lease side that remembers what it was asked; the test decides when a write succeeds."""

    def __init__(self) -> None:
        self.rows: dict[str, LeaseRow] = {}
        self.recorded: dict[str, Position] = {}
        self.pending: dict[str, Pending] = {}
        self.urgent: list[str] = []
        self.log: list[tuple[str, str]] = []
        self.children: dict[str, tuple[Shard, ...]] = {}
        self.may_finish: dict[str, Position | None] = {}
        self.given_up: set[str] = set()
        self.looks: Callable[[], object] = list

    def finished(self, now: float, key: str, position: Position, *, urgent: bool) -> None:
        self.looks()
        limit = self.may_finish.get(key)
        assert limit is not None, f"I2: {position} is recorded, but nothing is finished"
        assert position <= limit, f"I2: {position} is recorded, only {limit} is finished"
        self.recorded[key] = max(position, self.recorded.get(key, position))
        if urgent:
            self.urgent.append(key)

    def prepare(self, now: float, key: str, pending: Pending) -> None:
        self.pending[key] = pending
        self.urgent.append(key)

    def commit(self, now: float, key: str, position: Position) -> None:
        self.log.append(("commit", key))
        self.finished(now, key, position, urgent=True)

    def paused(self, now: float, key: str, *, paused: bool) -> None:
        self.log.append(("paused" if paused else "unpaused", key))
        if key in self.rows:
            self.rows[key] = replace(self.rows[key], paused=paused)

    def shard_read(self, now: float, key: str, children: tuple[Shard, ...]) -> None:
        self.children[key] = children
        self.log.append(("shard_read", key))

    def drained(self, now: float, key: str) -> None:
        self.log.append(("drained", key))

    def ended(self, now: float, key: str) -> None:
        self.log.append(("ended", key))

    def give_up(self, now: float, key: str, why: str) -> None:
        self.log.append(("give_up", key))
        self.given_up.add(key)

    def hung(self, now: float, key: str) -> None:
        self.log.append(("hung", key))

    def code_returned(self, now: float, key: str) -> None:
        self.log.append(("code_returned", key))

    def stop_worker(self, now: float, why: str) -> None:
        self.log.append(("stop_worker", why))

    def told(self, what: str) -> list[str]:
        return [key for name, key in self.log if name == what]
