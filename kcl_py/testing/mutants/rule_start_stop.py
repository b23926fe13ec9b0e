"""Which planted bugs break the rules of starting, stopping and being alive?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcl_py.core.leases import membership
from kcl_py.core.leases.membership import Membership
from kcl_py.core.leases.requests import Requests
from kcl_py.core.leases.rows import WorkerState
from kcl_py.core.leases.scanner import Scanner
from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.stopping import Stopping
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.mutants.arena_code import HUNG
from kcl_py.testing.mutants.arena_fleets import LATE, LEAVERS, STALE_LEAVERS
from kcl_py.testing.mutants.arena_moves import MOVES
from kcl_py.testing.mutants.arena_shards import EDITED
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.leases.scanner import Scan
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("5 Start, stop, liveness")


@ROOM.plant("released before user code returned", "stop: drain first", "I1", within=10, arena=MOVES)
def released_before_the_drain(patches: Patches) -> None:
    """A stop gives every lease away at once, in the middle of its calls."""
    begin = Stopping.begin

    def hasty(self: Stopping, now: float, *, joined: bool) -> None:
        begin(self, now, joined=joined)
        for _, holding in sorted(self._host.holdings.items()):
            if holding.is_owner:
                holding.give(now, WriteKind.RELEASE)

    patches.put(Stopping, "begin", hasty)


@ROOM.plant(
    "the own row goes before user code", "the own row last", "I1", "I10", within=10, arena=HUNG
)
def own_row_first(patches: Patches) -> None:
    """Who was seen leaving and is gone processes nothing: others take at once what still runs."""

    def check(self: Stopping, now: float) -> None:
        if not self._is_done and self._is_joined and self._has_looked:
            self._is_done = True
            self._membership.delete(now, self._gone)

    patches.put(Stopping, "check", check)


@ROOM.plant(
    "nobody is named as successor",
    "stop: offer to the successor",
    "I6",
    "I7",
    within=20,
    arena=MOVES,
)
def no_successor(patches: Patches) -> None:
    """What is released to nobody is found by somebody's next scan, and then by several."""
    patches.put(Stopping, "_successor", lambda self, now, key: None)


@ROOM.plant("nobody says that it leaves", "own row: leaving", "I6", "I10", within=20, arena=MOVES)
def leaving_is_not_said(patches: Patches) -> None:
    """Others go on giving leases to a worker that is on its way out."""

    def leave(self: Membership, now: float, then: Callable[[float], None]) -> None:
        then(now)

    patches.put(Membership, "leave", leave)


@ROOM.plant(
    "a partial scan proves absence",
    "complete means the last page",
    "I1",
    "I6",
    "I10",
    within=20,
    arena=LEAVERS,
)
def partial_scan_proves(patches: Patches) -> None:
    """A scan breaks off before the row of a leaver: its leases are taken while it drains."""
    scan_once = Scanner.scan

    def believing(
        self: Scanner, now: float, *, consistent: bool, then: Callable[[float, Scan], None]
    ) -> None:
        def ended(at: float, scan: Scan) -> None:
            if scan.failure is not None:
                sights = self._desk.sights
                sights.keep_only(scan.leases, asked_at=now, consistent=consistent)
                sights.keep_only_workers(scan.workers, asked_at=now, consistent=True)
                scan.failure = None
            then(at, scan)

        scan_once(self, now, consistent=consistent, then=ended)

    patches.put(Scanner, "scan", believing)


@ROOM.plant(
    "a stale scan proves that a leaver is gone",
    "gone: a consistent read finds no row",
    "I1",
    within=60,
    arena=STALE_LEAVERS,
)
def stale_scan_proves(patches: Patches) -> None:
    """A replica from before a leaver's row came: its leases are taken while it drains."""
    keep_only = Sights.keep_only_workers

    def believing(
        self: Sights, keys: set[str], *, asked_at: float, consistent: bool = True
    ) -> tuple[str, ...]:
        for key in keep_only(self, keys, asked_at=asked_at, consistent=consistent):
            self.miss_worker(key)
        return ()

    patches.put(Sights, "keep_only_workers", believing)


@ROOM.plant("presence is liveness", "live: something moved within D", "I6", "I7", within=20)
def presence_is_liveness(patches: Patches) -> None:
    """A dead worker's row is still there: leases are kept for it."""

    def liveness(self: Sights, worker: str, now: float) -> str:
        sight = self.workers.get(worker)
        return "live" if worker == self._me or (sight and sight.present) else "dead"

    patches.put(Sights, "liveness", liveness)


@ROOM.plant("no heartbeat", "a beat every D/3", "I6", "I7", within=20, arena=MOVES)
def no_heartbeat(patches: Patches) -> None:
    """A newcomer without leases moves nothing that others see: its requests are refused."""
    known = Membership._known

    def once(self: Membership, now: float, row: Any, *, refused: bool) -> None:
        known(self, now, row, refused=refused)
        if row.state is WorkerState.RUNNING:
            self._desk.timers.cancel(("beat",))

    patches.put(Membership, "_known", once)


@ROOM.plant(
    "rows of the living are removed",
    "the dead after 10 D",
    "I6",
    "I7",
    "I8",
    within=10,
    arena=EDITED,
)
def living_removed(patches: Patches) -> None:
    """A row is removed as soon as it stands still, and a beat is no more often than a scan."""
    patches.put(membership, "REMOVE_AFTER", 0.1)


@ROOM.plant(
    "a take of before the stop is kept",
    "stop: settle takes, scan until clean",
    "I10",
    within=400,
    arena=LATE,
)
def take_kept_at_stop(patches: Patches) -> None:
    """A take that was under way applies while we stop, and nobody gives it away."""
    patches.put(Stopping, "taken", lambda self, now, row: None)
    patches.put(Stopping, "_stray", lambda self, key: None)


@ROOM.plant(
    "requests are left at stop", "stop: withdraw own requests", "I10", within=20, arena=MOVES
)
def requests_left(patches: Patches) -> None:
    """A lease is asked for by a worker that is gone."""
    patches.put(Requests, "withdraw_all", lambda self, now: self._open.clear())
    patches.put(Requests, "withdraw", lambda self, now, key, victim: None)
    patches.put(Stopping, "_stray", _only_owned(Stopping._stray))


def _only_owned(stray: Callable[..., Any]) -> Callable[..., Any]:
    def owned(self: Stopping, key: str) -> Any:
        row = stray(self, key)
        return row if row is not None and row.actual_owner == self._desk.me else None

    return owned
