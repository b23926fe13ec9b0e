"""Which rows does nobody need any more, and how long must one look to know that?

Tombstones of shards that two listings a minute apart do not show, and workers whose beat stood
still for ten lease durations: what workers delete by themselves, sooner or later, by the same rules
(PROTOCOL sections 2 and 5). Each deletion is conditional on the row being as it was seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from kcl_py.admin.troubles import table_error
from kcl_py.core.events import Applied, Failure, FailureKind
from kcl_py.core.leases import writes
from kcl_py.core.leases.membership import REMOVE_AFTER
from kcl_py.core.leases.rows import LeaseRow, WorkerRow
from kcl_py.core.shards.cleanup import GONE_AFTER, Vanished, deletable
from kcl_py.errors import Throttled, Unavailable

if TYPE_CHECKING:
    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite

DURATION_DEFAULT: Final = 10.0
LOOK_SECONDS: Final = 1.0
TRIES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Rubbish:
    """A row that nobody needs."""

    row: LeaseRow | WorkerRow
    why: str

    @property
    def write(self) -> RowWrite:
        """What deletes it, as long as it is as it was seen."""
        if isinstance(self.row, LeaseRow):
            return writes.delete(self.row)
        return writes.remove_worker(self.row.key, seen=self.row.beat)


@dataclass(slots=True)
class Cleaning:
    """One look at a table, as long as it takes.

    Args:
        rows: Reads every row consistently.
        shard_ids: Lists the ids of all shards, completely; never empty.
        now: Clock reading, seconds.
        sleep: Waits so many seconds.
    """

    rows: Callable[[], Mapping[str, Row]]
    shard_ids: Callable[[], Collection[str]]
    now: Callable[[], float]
    sleep: Callable[[float], object]
    _vanished: Vanished = field(default_factory=Vanished)
    _beats: dict[str, tuple[int, float]] = field(default_factory=dict)
    _moved: set[str] = field(default_factory=set)
    _seen: Mapping[str, Row] = field(default_factory=dict)
    _listed: Collection[str] = ()

    def begin(self) -> None:
        """Look once."""
        self._look()
        self._list()

    def candidates(self) -> tuple[Rubbish, ...]:
        """What would be deleted if it stayed as it is for `patience` seconds."""
        tombstones = [
            Rubbish(row, "the stream has forgotten this shard")
            for row in self._leases().values()
            if row.is_finished and row.key not in self._listed
        ]
        dead = [Rubbish(row, "the worker is dead") for row in self._workers()]
        return (*tombstones, *dead)

    def patience(self) -> float:
        """How long one must look to be sure, seconds."""
        waits = [REMOVE_AFTER * row.silence_seconds(self._duration()) for row in self._workers()]
        if any(isinstance(each.row, LeaseRow) for each in self.candidates()):
            waits.append(GONE_AFTER)
        return max(waits, default=0.0)

    def watch(self, seconds: float) -> None:
        """Look for so long; who shows life meanwhile is no candidate any more."""
        end = self.now() + seconds
        while self.now() < end:
            self.sleep(min(LOOK_SECONDS, max(0.0, end - self.now())))
            # Who lives is still seen to have moved at the next look; `find` must have one.
            with contextlib.suppress(Throttled, Unavailable):
                self._look()

    def find(self) -> tuple[Rubbish, ...]:
        """What may be deleted, after `watch`."""
        self._list()
        self._look()
        now = self.now()
        tombstones = [
            Rubbish(row, "the stream has forgotten this shard")
            for row in deletable(self._leases(), self._vanished)
        ]
        dead = [
            Rubbish(row, "the worker is dead")
            for row in self._workers()
            if now - self._beats[row.key][1] >= REMOVE_AFTER * row.silence_seconds(self._duration())
        ]
        return (*tombstones, *dead)

    def left_alone(self) -> Sequence[LeaseRow]:
        """Leases that are not finished though the stream has forgotten their shards."""
        return [
            row
            for row in self._leases().values()
            if not row.is_finished and row.key not in self._listed
        ]

    def _look(self) -> None:
        before, self._seen, now = self._leases(), self.rows(), self.now()
        for key, row in self._leases().items():
            if row.actual_owner is not None and row.counter != before.get(key, row).counter:
                self._moved.add(row.actual_owner)
        for key, worker in self._seen.items():
            if isinstance(worker, WorkerRow):
                beat, _ = self._beats.setdefault(key, (worker.beat, now))
                if worker.beat != beat:
                    self._moved.add(key)

    def _list(self) -> None:
        self._listed = frozenset(self.shard_ids())
        self._vanished.note_listing(self.now(), self._listed)

    def _leases(self) -> dict[str, LeaseRow]:
        return {key: row for key, row in self._seen.items() if isinstance(row, LeaseRow)}

    def _workers(self) -> list[WorkerRow]:
        """Workers that have shown no life so far."""
        return [
            row
            for key, row in sorted(self._seen.items())
            if isinstance(row, WorkerRow) and key not in self._moved
        ]

    def _duration(self) -> float:
        named = [row.duration for row in self._leases().values() if row.duration is not None]
        return max(named, default=DURATION_DEFAULT)


def delete(
    write: Callable[[RowWrite], WriteAnswer], rubbish: Rubbish, sleep: Callable[[float], object]
) -> bool:
    """Delete a row; False: it was not as it was seen, and stays.

    Raises:
        KclError: The table refuses, or gives no answer.
    """
    for attempt in count():
        answer = write(rubbish.write)
        if not isinstance(answer, Failure):
            return isinstance(answer, Applied) or answer.row is None
        is_hopeless = answer.kind not in (FailureKind.UNKNOWN, FailureKind.THROTTLED)
        if is_hopeless or attempt == TRIES_MAX:
            raise table_error(answer)
        sleep(0.2 * 2**attempt)
    raise AssertionError("counting does not end")
