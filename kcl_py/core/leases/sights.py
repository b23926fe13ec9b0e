"""What did this worker see in the table, and when?

Expiry and liveness follow from sights, never from rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kcl_py.core.leases.java import MOVES_MAX, is_foreign_move
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, WorkerRow, WorkerState

Liveness: TypeAlias = Literal["live", "unknown", "dead"]

_RESTORE_SIGHTS = 2
"""So many consistent reads must show a counter gone back before it counts as a restored table."""


@dataclass(slots=True)
class LeaseSight:
    """The newest known state of one lease row.

    Attributes:
        since: When this counter was first received, clock seconds.
        seen_at: When it was last received.
        learned_at: When the question was asked whose answer `row` is.
        gone_back: Consistent reads that showed a lower counter.
        foreign_moves: So often in a row the counter moved under one nonce.
    """

    row: LeaseRow
    since: float
    seen_at: float
    learned_at: float
    gone_back: int = 0
    foreign_moves: int = 0


@dataclass(slots=True)
class WorkerSight:
    """The newest known state of one worker row.

    Attributes:
        since: When this beat was first received.
        moved_at: When something of this worker was last seen to move; None: never yet.
        present: The row is in the table.
        first_seen: When anything of it was first received.
    """

    row: WorkerRow
    since: float
    first_seen: float
    moved_at: float | None = None
    present: bool = True


class Sights:
    """All that was seen of leases and workers.

    Args:
        me: This worker's id.
        duration: Lease duration D in seconds.

    Attributes:
        restored: Key of a lease whose counter went back: the table was restored from a copy.
        foreign: A lease that somebody renews who is no worker of kcl_py.
    """

    def __init__(self, *, me: str, duration: float) -> None:
        self.restored: str | None = None
        self.foreign: LeaseRow | None = None
        self.leases: dict[str, LeaseSight] = {}
        self.workers: dict[str, WorkerSight] = {}
        self._me = me
        self._duration = duration
        self._gone_leaving: set[str] = set()
        self._moved: dict[str, float] = {}

    # ------------------------------------------------------------------------------------ leases

    def see_lease(
        self, now: float, row: LeaseRow, *, asked_at: float, consistent: bool, mine: bool = False
    ) -> None:
        """Take note of a row that was received now and asked for at `asked_at`.

        Args:
            consistent: A consistent read, or the answer to a write: never stale.
            mine: The answer to a write of this worker.
        """
        known = self.leases.get(row.key)
        if known is None:
            self.leases[row.key] = LeaseSight(row, now, now, asked_at)
            return
        if row.counter < known.row.counter:
            self._see_lower(row, known, asked_at=asked_at, consistent=consistent)
            return
        known.gone_back = 0
        if row.counter > known.row.counter:
            self._note_owner_moved(now, row, mine=mine)
            known.foreign_moves = known.foreign_moves + 1 if is_foreign_move(known.row, row) else 0
            if known.foreign_moves > MOVES_MAX:
                self.foreign = row
            known.since = now
            known.row = row
            known.learned_at = asked_at
        elif asked_at >= known.learned_at:
            known.row = row
            known.learned_at = asked_at
        known.seen_at = now

    def forget_lease(self, key: str) -> None:
        """The row was deleted."""
        self.leases.pop(key, None)

    def keep_only(self, keys: set[str], *, asked_at: float, consistent: bool) -> list[str]:
        """After a complete scan: forget lease rows that it did not show. Returns their keys.

        A row learned after the scan was asked for stays; so does, for a scan that may be stale, one
        that is younger than a lease duration.
        """
        limit = asked_at if consistent else asked_at - self._duration
        gone = [k for k, s in self.leases.items() if k not in keys and s.learned_at < limit]
        for key in gone:
            del self.leases[key]
        self._forget_strangers()
        return gone

    def _forget_strangers(self) -> None:
        """Forget workers that no row names any more, so that years of deploys leave nothing."""
        named = {s.row.owner for s in self.leases.values()}
        named |= {s.row.checkpoint_owner for s in self.leases.values()}
        self._gone_leaving = {w for w in self._gone_leaving if w in named}
        self._moved = {w: at for w, at in self._moved.items() if w in named or w in self.workers}

    def expires_at(self, key: str) -> float | None:
        """Return when the lease counts as expired; None while its counter was seen only once."""
        sight = self.leases[key]
        if sight.seen_at <= sight.since or sight.row.actual_owner is None:
            return None
        return sight.since + sight.row.wait_seconds(self._duration)

    def is_expired(self, key: str, now: float) -> bool:
        """Say whether its counter stood still for long enough on this clock, and was seen again."""
        at = self.expires_at(key)
        return at is not None and now >= at

    def highest_counter(self) -> int:
        """Return the highest lease counter ever seen, 0 if none."""
        return max((s.row.counter for s in self.leases.values()), default=0)

    def _see_lower(
        self, row: LeaseRow, known: LeaseSight, *, asked_at: float, consistent: bool
    ) -> None:
        if not consistent or known.since >= asked_at:
            return
        known.gone_back += 1
        if known.gone_back >= _RESTORE_SIGHTS:
            self.restored = row.key

    def _note_owner_moved(self, now: float, row: LeaseRow, *, mine: bool) -> None:
        """A counter moved: whoever really owns the lease now has moved it.

        Unless it was offered.
        """
        owner = row.actual_owner
        if owner is None or mine or row.is_offered:
            return
        self._moved[owner] = now
        sight = self.workers.get(owner)
        if sight is not None:
            sight.moved_at = now

    # ----------------------------------------------------------------------------------- workers

    def see_worker(self, now: float, row: WorkerRow) -> None:
        """Take note of a worker row."""
        known = self.workers.get(row.key)
        if known is None:
            self.workers[row.key] = WorkerSight(row, now, now, self._moved.get(row.key))
            return
        if row.beat > known.row.beat or not known.present:
            known.since = now
            known.moved_at = now
        if row.beat >= known.row.beat:
            known.row = row
            known.present = True

    def miss_worker(self, key: str) -> None:
        """A read that cannot be stale found no such worker row."""
        known = self.workers.get(key)
        if known is None:
            return
        known.present = False
        if known.row.state is WorkerState.LEAVING:
            self._gone_leaving.add(key)
            del self.workers[key]

    def keep_only_workers(
        self, keys: set[str], *, asked_at: float, consistent: bool = True
    ) -> tuple[str, ...]:
        """After a complete scan: worker rows that it did not show are gone.

        A scan that may be stale may be from before a worker came, however long ago that was. So it
        proves of nobody who is leaving that it has left: from then on its leases would be free.

        Returns:
            Who is leaving and was not shown: to be read consistently.
        """
        limit = asked_at if consistent else asked_at - self._duration
        unsure: list[str] = []
        for key, sight in list(self.workers.items()):
            if key in keys or sight.since >= asked_at or sight.first_seen >= limit:
                continue
            if consistent or sight.row.state is not WorkerState.LEAVING:
                self.miss_worker(key)
            else:
                unsure.append(key)
        for key in [k for k, s in self.workers.items() if not s.present]:
            if self._stood_still(self.workers[key], asked_at):
                del self.workers[key]
        return tuple(unsure)

    def liveness(self, worker: str, now: float) -> Liveness:
        """Say whether a worker is live, unknown (nothing was seen to move yet) or dead."""
        if worker == self._me:
            return "live"
        if worker == PLACEHOLDER_OWNER:
            return "dead"
        sight = self.workers.get(worker)
        moved_at = self._moved.get(worker) if sight is None else sight.moved_at
        silence = self._duration if sight is None else sight.row.silence_seconds(self._duration)
        if moved_at is not None and now - moved_at <= silence:
            return "live"
        if sight is not None and moved_at is None and now - sight.first_seen <= silence:
            return "unknown"
        return "dead"

    def is_running(self, worker: str, now: float) -> bool:
        """Say whether a worker is live, has a row, and is not leaving."""
        sight = self.workers.get(worker)
        return (
            sight is not None
            and sight.present
            and sight.row.state is WorkerState.RUNNING
            and self.liveness(worker, now) == "live"
        )

    def is_leaving(self, worker: str) -> bool:
        """Say whether its row says that it is leaving."""
        sight = self.workers.get(worker)
        return sight is not None and sight.row.state is WorkerState.LEAVING

    def has_left(self, worker: str) -> bool:
        """Say whether its row was seen leaving and is gone now: it processes nothing, for ever."""
        return worker in self._gone_leaving

    def running(self, now: float) -> tuple[str, ...]:
        """Return the ids of all workers that run, sorted."""
        return tuple(sorted(w for w in self.workers if self.is_running(w, now)))

    def _stood_still(self, sight: WorkerSight, now: float) -> bool:
        silence = sight.row.silence_seconds(self._duration)
        return now - max(sight.since, sight.moved_at or 0.0) > silence
