"""What happens when every shard splits? End, children, SHARD_END, and who takes the children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.testing.scale.actors import Lease, State, Worker

if TYPE_CHECKING:
    from kcl_py.testing.scale.fleet import Fleet
    from kcl_py.testing.scale.takeover import Takeovers

CHILDREN = 2
PARENT_POLL = 0.5
"""Seconds between two looks at the parents of a waiting lease. Source: PROTOCOL section 5."""


class Splits:
    """The splits of a run. How long children waited is in `Takeovers.dark`."""

    def __init__(self, fleet: Fleet, takeovers: Takeovers) -> None:
        self._fleet = fleet
        self._takeovers = takeovers

    def split_all(self) -> None:
        """Every shard is split at this instant; its owner reads the end at its next read."""
        fleet = self._fleet
        for lease in list(fleet.table.leases):
            if lease.state is State.HELD and lease.owner is not None:
                after = fleet.rng.uniform(0.0, fleet.assume.idle) + fleet.rtt()
                self._end_seen(lease, lease.owner, after)

    def _end_seen(self, parent: Lease, owner: Worker, after: float) -> None:
        fleet = self._fleet

        def create() -> None:
            parent.dark_since = fleet.now
            children = [fleet.table.add_lease(parent) for _ in range(CHILDREN)]
            for child in children:
                child.dark_since = fleet.now
            fleet.spent["create"] += CHILDREN
            called = fleet.rtt() / 2 + fleet.rng.uniform(*fleet.assume.drain) + fleet.rtt() / 2
            fleet.heap.after(called, lambda: self._end(parent, owner, children))

        fleet.heap.after(after + fleet.rtt() / 2, create)

    def _end(self, parent: Lease, owner: Worker, children: list[Lease]) -> None:
        """SHARD_END applies; its writer reads the children, and takes those that are free."""
        fleet = self._fleet
        fleet.accrue()
        fleet.spent["end"] += 1
        fleet.table.end(parent)
        fleet.read_rows(CHILDREN)
        for child in children:
            if child.state is State.HELD:
                waited = fleet.rng.uniform(0.0, PARENT_POLL) + fleet.rtt()
                self._takeovers.started(child, fleet.now + waited)
        fleet.heap.after(fleet.rtt() * 1.5, lambda: self._read(owner, children))

    def _read(self, owner: Worker, children: list[Lease]) -> None:
        for child in children:
            if child.state is State.FREE and owner.runs:
                self._takeovers.take(owner, child)
