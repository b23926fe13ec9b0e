"""What does the shard side see of the leases, and what does it tell them?

The listener of the shard sync.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kcl_py.core.leases.balance import Balance
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.holding import Holding
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.leases.scanner import Scanner
    from kcl_py.errors import KclError


class ShardSide:
    """Implements `ShardListener`.

    Args:
        owned: Returns the lease of that key if it is ours.
        fail: Ends the worker with an error.
    """

    def __init__(
        self,
        desk: Desk,
        scanner: Scanner,
        balance: Balance,
        *,
        owned: Callable[[str], Holding | None],
        fail: Callable[[float, KclError], None],
    ) -> None:
        self._desk = desk
        self._scanner = scanner
        self._balance = balance
        self._owned = owned
        self._fail = fail

    def rows(self) -> Mapping[str, LeaseRow]:
        """Return the newest lease rows known."""
        return {key: sight.row for key, sight in self._desk.sights.leases.items()}

    def scan_consistently(self, now: float, then: Callable[[float, bool], None]) -> None:
        """Read everything consistently; `then(now, complete)`."""
        self._scanner.scan(now, consistent=True, then=lambda at, scan: then(at, scan.is_complete))

    def row_seen(self, now: float, row: LeaseRow) -> None:
        """A lease row was read consistently, or created.

        When it was asked for is not told, so a counter that went back proves nothing here.
        """
        self._desk.sights.see_lease(now, row, asked_at=now, consistent=False)

    def row_deleted(self, now: float, key: str) -> None:
        """A lease row was deleted."""
        del now
        self._desk.sights.forget_lease(key)

    def parents_done(self, now: float, key: str) -> None:
        """Every parent of this lease is finished."""
        if holding := self._owned(key):
            seen = self._desk.sights.leases
            counters = [seen[name].row.counter for name in holding.row.parents if name in seen]
            holding.parents_done(now, max(counters, default=0))

    def children_created(self, now: float, key: str, children: tuple[str, ...]) -> None:
        """The children of this lease exist."""
        if holding := self._owned(key):
            holding.children = children
            self._desk.consumers.children_created(now, key)

    def highest_counter(self) -> int:
        """Return the highest lease counter seen."""
        return self._desk.sights.highest_counter()

    def wall_now(self, now: float) -> float:
        """Return unix seconds, as the wall clock of this machine has them."""
        return now + self._desk.wall_offset

    def is_auditor(self) -> bool:
        """Say whether this worker audits for the fleet."""
        return self._balance.is_first()

    def fail(self, now: float, error: KclError) -> None:
        """The stream is not what it was: stop."""
        self._fail(now, error)
