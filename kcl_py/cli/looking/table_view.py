"""What does the lease table say, as people want to read it? Two looks tell who is alive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from kcl_py.core.leases.java import is_foreign_move
from kcl_py.core.leases.rows import (
    PLACEHOLDER_OWNER,
    ApplicationRow,
    LeaseRow,
    Row,
    StrangeRow,
    WorkerRow,
)
from kcl_py.records import Position

Liveness: TypeAlias = Literal["live", "unknown", "dead"]

DURATION_DEFAULT: Final = 10.0
"""Seconds, for a row that names no duration. Source: failoverTimeMillis of the Java KCL."""

LEASE_COLUMNS: Final = (
    "lease_key", "state", "owner", "live", "counter", "age", "checkpoint", "parents", "handoff",
    "offer",
)  # fmt: skip
WORKER_COLUMNS: Final = ("worker", "state", "live", "leases", "beat", "age")
STRANGE_COLUMNS: Final = ("key", "why")


@dataclass(slots=True)
class _Sight:
    """A counter as we saw it: its value, since when, and whether we saw it move."""

    value: int
    since: float
    moved: bool = False


@dataclass(slots=True)
class TableView:
    """Remembers when counters moved, so that ages and liveness can be told.

    Times are seconds on a clock of our own; clocks of other machines are never compared.

    Attributes:
        rows: All rows of the last look, by key.
        foreign: Leases that were seen to be moved by somebody who is no worker of kcl_py.
    """

    rows: Mapping[str, Row] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    _sights: dict[str, _Sight] = field(default_factory=dict)
    _begun: float | None = None
    _now: float = 0.0

    def look(self, now: float, rows: Iterable[Row]) -> None:
        """Take in one complete scan."""
        self._begun = now if self._begun is None else self._begun
        self._now = now
        before, self.rows = self.rows, {row.key: row for row in rows}
        for key, row in self.rows.items():
            value = _counter(row)
            if value is None:
                continue
            sight = self._sights.get(key)
            if sight is None:
                self._sights[key] = _Sight(value, now)
            elif value > sight.value:
                self._sights[key] = _Sight(value, now, moved=True)
                old = before.get(key)
                if isinstance(row, LeaseRow) and isinstance(old, LeaseRow):
                    self.foreign |= {key} if is_foreign_move(old, row) else set()
        for key in self._sights.keys() - self.rows.keys():
            del self._sights[key]

    @property
    def leases(self) -> list[LeaseRow]:
        """Lease rows by key."""
        found = [row for row in self.rows.values() if isinstance(row, LeaseRow)]
        return sorted(found, key=lambda row: row.key)

    @property
    def workers(self) -> list[WorkerRow]:
        """Worker rows by key."""
        found = [row for row in self.rows.values() if isinstance(row, WorkerRow)]
        return sorted(found, key=lambda row: row.key)

    @property
    def application(self) -> ApplicationRow | None:
        """The row that says whose table this is."""
        return next((row for row in self.rows.values() if isinstance(row, ApplicationRow)), None)

    @property
    def strange(self) -> list[StrangeRow]:
        """Rows that cannot be read, or are not ours."""
        return [row for row in self.rows.values() if isinstance(row, StrangeRow)]

    @property
    def duration(self) -> float:
        """The longest lease duration that a row names, seconds."""
        named = [row.wait_seconds(0.0) for row in self.leases if row.duration is not None]
        return max(named, default=DURATION_DEFAULT)

    def liveness(self, worker: str) -> Liveness:
        """Say whether a worker is alive, by its beat and by the counters of what it really owns."""
        if worker == PLACEHOLDER_OWNER:
            return "dead"
        own = [row.key for row in self.leases if row.actual_owner == worker]
        sights = [self._sights[key] for key in [worker, *own] if key in self._sights]
        stood = self._now - max((sight.since for sight in sights), default=self._now)
        if any(sight.moved for sight in sights) and stood < self.duration:
            return "live"
        watched = self._now - (self._begun if self._begun is not None else self._now)
        return "dead" if watched >= self.duration and stood >= self.duration else "unknown"

    def last_sign(self, worker: str) -> tuple[float, bool]:
        """How long ago something of a worker moved, seconds, and whether that was seen."""
        own = [row.key for row in self.leases if row.actual_owner == worker]
        sights = [self._sights[key] for key in [worker, *own] if key in self._sights]
        newest = max(sights, key=lambda sight: (sight.moved, sight.since), default=None)
        if newest is None:
            return 0.0, False
        return round(self._now - newest.since, 1), newest.moved

    @property
    def all_known(self) -> bool:
        """Every worker that a row names is known to live or to be dead."""
        named = {row.key for row in self.workers} | {
            row.actual_owner for row in self.leases if row.actual_owner is not None
        }
        return all(self.liveness(worker) != "unknown" for worker in named)

    def lease_facts(self) -> list[dict[str, object]]:
        """One mapping per lease, JSON-ready."""
        return [self._lease(row) for row in self.leases]

    def worker_facts(self) -> list[dict[str, object]]:
        """One mapping per worker, JSON-ready."""
        return [
            {
                "worker": row.key,
                "state": row.state.value,
                "live": self.liveness(row.key),
                "leases": sum(lease.actual_owner == row.key for lease in self.leases),
                "max_leases": row.lease_max,
                "beat": row.beat,
                **self._age(row.key),
            }
            for row in self.workers
        ]

    def application_facts(self) -> dict[str, object] | None:
        """Whose table this is, JSON-ready."""
        row = self.application
        if row is None:
            return None
        return {
            "stream_arn": row.stream_arn,
            "protocol": row.protocol,
            "initial_position": row.position.value,
            "initial_sync_done": row.initial_sync_done,
        }

    def strange_facts(self) -> list[dict[str, object]]:
        """Rows that are skipped, and why."""
        return [{"key": row.key, "why": row.why} for row in self.strange]

    def _lease(self, row: LeaseRow) -> dict[str, object]:
        owner = row.actual_owner
        return {
            "lease_key": row.key,
            "state": self._state(row),
            "owner": owner,
            "live": None if owner is None else self.liveness(owner),
            "counter": row.counter,
            **self._age(row.key),
            "checkpoint": _checkpoint(row),
            "parents": list(row.parents),
            "children": list(row.children),
            "handoff": f"to {row.owner}" if row.in_handoff else None,
            "offer": _offer(row),
            "pending_checkpoint": str(row.pending.position) if row.pending else None,
            "owner_switches": row.owner_switches,
            "paused_by": _paused_by(row),
        }

    def _age(self, key: str) -> dict[str, object]:
        """Seconds since the counter moved; at least so many if it was not seen to move."""
        sight = self._sights[key]
        return {"age": round(self._now - sight.since, 1), "seen_moving": sight.moved}

    def _state(self, row: LeaseRow) -> str:
        if row.is_finished:
            return "finished"
        if row.paused or row.halted:
            return "paused"
        if row.owner == PLACEHOLDER_OWNER:
            return "seized"
        if row.in_handoff:
            return "handoff"
        if row.is_offered:
            return "offered"
        if any(self._is_open(parent) for parent in row.parents) and not self._has_begun(row):
            return "waiting for parents"
        return "ownerless" if row.is_ownerless else "owned"

    def _is_open(self, key: str) -> bool:
        row = self.rows.get(key)
        return isinstance(row, LeaseRow) and not row.is_finished

    def _has_begun(self, row: LeaseRow) -> bool:
        return row.root or isinstance(row.checkpoint, Position)


def _counter(row: Row) -> int | None:
    match row:
        case LeaseRow():
            return row.counter
        case WorkerRow():
            return row.beat
        case _:
            return None


def _checkpoint(row: LeaseRow) -> str:
    return str(row.checkpoint) if isinstance(row.checkpoint, Position) else row.checkpoint.value


def _offer(row: LeaseRow) -> str | None:
    if not row.is_offered:
        return None
    return f"to {row.owner}" if row.owner else "to anybody"


def _paused_by(row: LeaseRow) -> str | None:
    """By whom: hand goes before errors, for it stays."""
    if row.halted:
        return "hand"
    return "errors" if row.paused else None
